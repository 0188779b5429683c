"""All sessions over HTTP: as many as there is room for, each for its own agent only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import trio
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from observatory import Asgi
from observatory_mcp.desk import Desk
from observatory_mcp.exchange import Exchange, Receive, Send
from observatory_mcp.session import Session

_log = logging.getLogger("observatory.mcp")

_OF_ONE = 16
"""Sessions of one agent: clients that were killed do not end theirs."""

_VERSION = MCP_PROTOCOL_VERSION_HEADER.lower().encode()
_ID = MCP_SESSION_ID_HEADER.lower().encode()


class Sessions:
    """Finds the session that a request belongs to.

    Args:
        make_desk: makes one for an agent.
        most: sessions at a time.
        nursery: where they run.
    """

    def __init__(self, make_desk: Callable[[str], Desk], most: int, nursery: trio.Nursery) -> None:
        self.opened = 0
        """Sessions so far."""
        self._make_desk = make_desk
        self._most = most
        self._nursery = nursery
        self._all: dict[Session, None] = {}  # the one that was asked last stands last
        self._by_id: dict[str, Session] = {}
        self._without_handshake: dict[str, Session] = {}  # by agent

    async def answer(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer a request, whose sender is known."""
        exchange = Exchange(scope, receive, send)
        agent: str | None = scope["state"]["identity"].name
        if scope["path"].removeprefix(scope["root_path"]) not in ("", "/"):
            await exchange.refuse(HTTPStatus.NOT_FOUND, f"there is nothing below {scope['root_path']}")
        elif agent is None:
            words = "this is the service's own token, which names nobody: give an agent's, of `observatory token NAME`"
            await exchange.refuse(HTTPStatus.FORBIDDEN, words)
        elif await exchange.read():
            await self._answer(exchange, agent)

    def statistics(self) -> Mapping[str, Any]:
        """Return figures."""
        clients = [{"identity": one.agent, "owner": False, "requests": one.requests} for one in self._all]
        return {"sessions": len(self._all), "opened": self.opened, "clients": clients}

    async def _answer(self, exchange: Exchange, agent: str) -> None:
        version, id = exchange.header(_VERSION), exchange.header(_ID)
        try:
            if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
                await self._answer_in(self._of_agent(agent), exchange)
            elif id is not None:
                await self._answer_in(self._known(id, agent), exchange)
            else:
                await self._begin(exchange, agent)
        except _RefusedError as refused:
            await exchange.refuse(refused.status, str(refused))

    def _of_agent(self, agent: str) -> Session:
        session = self._without_handshake.get(agent)
        if session is None or session.over:
            session = self._without_handshake[agent] = self._open(agent)
        return session

    def _known(self, id: str, agent: str) -> Session:
        session = self._by_id.get(id)
        if session is None or session.over or session.agent != agent:  # whose it is, is nobody else's business
            raise _RefusedError(HTTPStatus.NOT_FOUND, "there is no such session, or no more; begin another one")
        return session

    async def _begin(self, exchange: Exchange, agent: str) -> None:
        """Answer a request that begins a session; if it does not, there is none."""
        session = self._open(agent)
        exchange.on_session = partial(self._register, session)
        try:
            await self._answer_in(session, exchange)
        finally:
            if session.id is None:
                session.end()

    async def _answer_in(self, session: Session, exchange: Exchange) -> None:
        self._all[session] = self._all.pop(session)
        await session.answer(exchange)
        if exchange.scope["method"] == "DELETE" and exchange.status == HTTPStatus.OK:
            session.end()

    def _register(self, session: Session, id: str) -> None:
        session.id = id
        self._by_id[id] = session

    def _open(self, agent: str) -> Session:
        """Begin a session.

        Raises:
            _RefusedError: there is no room for one more.
        """
        of_agent = [one for one in self._all if one.agent == agent and not one.over]
        if len(of_agent) >= _OF_ONE:
            unused = next((one for one in of_agent if not one.in_use), None)
            if unused is None:
                words = f"all {_OF_ONE} sessions of {agent!r} are in use; end one of them"
                raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, words)
            unused.end()
        if len(self._all) >= self._most:
            words = f"all {self._most:,} sessions are in use; try again later"
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, words)
        session = Session(self._make_desk(agent))
        self._all[session] = None
        self.opened += 1
        self._nursery.start_soon(self._host, session)
        return session

    async def _host(self, session: Session) -> None:
        try:
            await session.run()
        except Exception:  # noqa: BLE001 -- one of the four edges: a connection
            _log.exception("a session of %s has failed", session.agent)
        finally:
            del self._all[session]
            self._by_id.pop(session.id or "", None)
            if self._without_handshake.get(session.agent) is session:
                del self._without_handshake[session.agent]


class _RefusedError(Exception):
    """There is no session for a request."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
