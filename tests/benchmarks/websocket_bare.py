"""trio-websocket by itself, as it sends to each connection and echoes. Imported where the plugin is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import attrs
import trio
from harness import Options
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket
from websocket_clients import Plan, start_clients
from websocket_servers import BURST, EVENT, receive_report, run_plan, time_bursts


async def run_each(options: Options, connections: int) -> float:
    """Publish with `send_message` to each connection; return the seconds that a burst takes."""
    sockets: set[WebSocketConnection] = set()
    present = trio.Semaphore(0)

    async def hold(connection: WebSocketConnection) -> None:
        sockets.add(connection)
        present.release()
        await connection.get_message()

    async with _serve(hold) as port:
        with start_clients(Plan(work="count", port=port, connections=connections, burst=BURST)) as reports:

            async def burst() -> None:
                async with trio.open_nursery() as nursery:  # quicker than one connection after another
                    for connection in sockets:
                        nursery.start_soon(_send, connection)
                await receive_report(reports)

            await receive_report(reports)  # they are connected
            for _ in range(connections):
                await present.acquire()
            return await time_bursts(options, burst)


async def run_echo(plan: Plan) -> float:
    """Send every message back; return the number that the clients report."""
    async with _serve(_echo) as port:
        return await run_plan(attrs.evolve(plan, port=port))


@asynccontextmanager
async def _serve(handler: Callable[[WebSocketConnection], Awaitable[None]]) -> AsyncIterator[int]:
    async def accept(request: WebSocketRequest) -> None:
        connection = await request.accept()
        with suppress(ConnectionClosed):
            await handler(connection)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, accept, "127.0.0.1", 0, None)
        yield server.port
        nursery.cancel_scope.cancel()


async def _send(connection: WebSocketConnection) -> None:
    for _ in range(BURST):
        await connection.send_message(EVENT)


async def _echo(connection: WebSocketConnection) -> None:
    while True:
        await connection.send_message(await connection.get_message())
