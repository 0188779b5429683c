"""The websocket's protocol, case by case, against an echo that is accepted as clients of the service are."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest
import trio
from observatory_websocket.server.accepting import accept
from observatory_websocket.server.stream import SharedStream
from observatory_websocket.settings import WebSocketSettings
from trio_websocket import ConnectionClosed, WebSocketConnection

from observatory import Identity

_SETTINGS = WebSocketSettings(max_frame_bytes=64 * 1024 * 1024)  # the largest case has 16 MiB

# Cases 12 and 13 are about compression, which is not offered.
_PROGRAM = """
import asyncio, os, sys
from kosoku import FailureError, run_fuzzingclient

async def main():
    try:
        results = await run_fuzzingclient(sys.argv[1], exclude_cases=["12.*", "13.*"], concurrency=2)
    except FailureError as error:
        results = error.results
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(result.case_id, result.behavior.value, result.behavior_close.value, result.result, result.result_close)
    print(len(results), "cases,", len(failed), "failed", flush=True)
    os._exit(0)  # ending in the usual way, kosoku's threads may abort the process

asyncio.run(main())
"""


async def _echo(socket: WebSocketConnection, stream: SharedStream, identity: object) -> None:
    try:
        while True:
            await socket.send_message(await socket.get_message())
    except ConnectionClosed:
        pass


@pytest.mark.slow
@pytest.mark.skipif(find_spec("kosoku") is None, reason="kosoku has no wheel for this platform")
async def test_cases() -> None:
    """No case fails."""

    async def serve(stream: trio.SocketStream) -> None:
        await accept(stream, lambda head: Identity(None), _echo, _SETTINGS)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
        result: Any = await trio.run_process(
            [sys.executable, "-c", _PROGRAM, url], capture_stdout=True, stderr=subprocess.STDOUT, check=False
        )
        nursery.cancel_scope.cancel()
    assert (result.returncode, result.stdout.decode()) == (0, "301 cases, 0 failed\n")
