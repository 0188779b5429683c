"""How answers come over HTTP by 2026-07-28."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing


@pytest.mark.parametrize("tool", ["claim_task", "wait_for_message", "tell"])
async def test_stateless(stateless: Any, tool: str) -> None:
    """By 2026-07-28 an answer is one JSON value, unless a tool has something to tell before its end."""
    stateless.go_on.set()
    async with stateless.transport.serve():
        asked = await stateless.ask(stateless.call(tool))
    assert asked.kind == (b"text/event-stream" if tool == "tell" else b"application/json")
    assert tool in asked.text


async def test_the_client_goes(stateless: Any) -> None:
    """What waits ends with its client."""
    asked = stateless.call("wait_for_message")
    async with stateless.transport.serve():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stateless.ask, asked)
            await trio.testing.wait_all_tasks_blocked()
            asked.gone.set()
        assert (stateless.ended, asked.parts) == (["wait_for_message"], [])
