"""The servers that are not on Trio: websockets and aiohttp on asyncio, and Redis. Imported where they are installed."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import aiohttp
from aiohttp import web
from harness import Options
from websocket_clients import Plan, start_clients
from websocket_servers import BURST, EVENT, time_bursts
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def run_websockets(options: Options, connections: int) -> float:
    """Publish with `websockets.broadcast`."""
    present = asyncio.Semaphore(0)

    async def hold(connection: ServerConnection) -> None:
        present.release()
        await connection.wait_closed()

    async with serve(hold, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with start_clients(Plan(work="count", port=port, connections=connections, burst=BURST)) as reports:
            report = await _connected(reports)

            async def burst() -> None:
                for _ in range(BURST):
                    broadcast(server.connections, EVENT)
                await report()

            for _ in range(connections):
                await present.acquire()
            return await time_bursts(options, burst)


async def run_aiohttp(options: Options, connections: int) -> float:
    """Publish with aiohttp, which has nothing for many connections: to each in turn, bytes that are made once."""
    event = EVENT.encode()
    sockets: set[web.WebSocketResponse] = set()
    present = asyncio.Semaphore(0)

    async def hold(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(compress=False)
        await response.prepare(request)
        sockets.add(response)
        present.release()
        await response.receive()
        return response

    application = web.Application()
    application.router.add_get("/", hold)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        with start_clients(Plan(work="count", port=port, connections=connections, burst=BURST)) as reports:
            report = await _connected(reports)

            async def burst() -> None:
                for _ in range(BURST):
                    for response in sockets:
                        await response.send_frame(event, aiohttp.WSMsgType.TEXT)
                await report()

            for _ in range(connections):
                await present.acquire()
            return await time_bursts(options, burst)
    finally:
        await runner.cleanup()


async def run_redis(options: Options, connections: int) -> float:
    """Publish to a Redis, whose process is a third one."""
    loop = asyncio.get_running_loop()
    commands = f"*3\r\n$7\r\nPUBLISH\r\n$1\r\nt\r\n${len(EVENT)}\r\n{EVENT}\r\n".encode() * BURST
    replies = len(f":{connections}\r\n") * BURST
    frame = len(f"*3\r\n$7\r\nmessage\r\n$1\r\nt\r\n${len(EVENT)}\r\n{EVENT}\r\n")
    with _start_redis() as port, socket.create_connection(("127.0.0.1", port)) as publisher:
        publisher.setblocking(False)
        first = "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nt\r\n"
        plan = Plan(work="count", port=port, connections=connections, first=first, frame=frame, burst=BURST)
        with start_clients(plan) as reports:
            report = await _connected(reports)

            async def burst() -> None:
                await loop.sock_sendall(publisher, commands)
                missing = replies
                while missing:
                    missing -= len(await loop.sock_recv(publisher, missing))
                await report()

            return await time_bursts(options, burst)


def has_redis() -> bool:
    """Tell whether there is a Redis to compare with."""
    return shutil.which("redis-server") is not None


@contextmanager
def _start_redis() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            for line in server.stdout or ():
                if "Ready to accept connections" in line:
                    break
            yield port
        finally:
            server.terminate()


async def _connected(reports: socket.socket) -> Callable[[], Awaitable[bytes]]:
    """Wait until the clients are connected, and return how to wait for what else they report."""
    report = partial(asyncio.get_running_loop().sock_recv, reports, 8)
    await report()
    return report
