"""An agent's session over HTTP."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from observatory_mcp.desk import Desk
from observatory_mcp.exchange import Exchange
from observatory_mcp.handshake import HandshakeTransport
from observatory_mcp.server import make_server
from observatory_mcp.stateless import StatelessTransport


class Session:
    """What a handshake has begun, by 2025-11-25; by 2026-07-28, which knows none, all that an agent asks.

    It ends by itself when nothing is asked for long.

    Args:
        desk: the agent's, for the time of the session.
        id: what clients know it by; None where there is no handshake.

    Attributes:
        agent: whose it is.
        id: what clients know it by.
        requests: how many it was asked so far.
    """

    def __init__(self, desk: Desk, id: str | None) -> None:
        self.agent = desk.agent
        self.id = id
        self.requests = 0
        self._idle = desk.settings.session_seconds
        self._news = desk.news
        self._scope = trio.CancelScope()
        self._in_hand: set[trio.CancelScope] = set()
        self._ready = trio.Event()
        server = make_server(desk)
        self._transport = StatelessTransport(server) if id is None else HandshakeTransport(server, id)

    @property
    def over(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._scope.cancel_called

    @property
    def in_use(self) -> bool:
        """Whether something of it is being answered; a stream of changes counts."""
        return bool(self._in_hand)

    async def run(self) -> None:
        """Be there, until it is ended or has not been asked for long."""
        with self._scope, self._breaking_off():
            async with trio.open_nursery() as nursery, self._transport.serve():
                nursery.start_soon(self._news.run)
                with self._breaking_off():  # before there is nobody left to answer
                    self._ready.set()
                    await trio.sleep_forever()

    @contextmanager
    def _breaking_off(self) -> Iterator[None]:
        """End every answer that is not complete, at the end of a block."""
        try:
            yield
        finally:
            for answering in self._in_hand:
                answering.cancel()

    def end(self) -> None:
        """End it, and every answer that is not complete."""
        self._scope.cancel()

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request."""
        self.requests += 1
        self._scope.deadline = math.inf
        with trio.CancelScope() as answering:
            self._in_hand.add(answering)
            try:
                await self._ready.wait()
                await self._transport.answer(exchange)
            finally:
                self._in_hand.discard(answering)
                exchange.leave()
                if not self._in_hand:
                    self._scope.deadline = trio.current_time() + self._idle
        if not exchange.complete:
            await exchange.break_off()
