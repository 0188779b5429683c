"""All sessions over HTTP: as many as there is room for, each for its own agent only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import trio
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types import JSONRPCRequest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from observatory import Asgi
from observatory_mcp.desk import Desk
from observatory_mcp.exchange import Exchange, Receive, Send
from observatory_mcp.framing import message_of
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
            elif id is None:
                await self._begin(exchange, agent)
            elif exchange.method == "DELETE":
                self._known(id, agent).end()
                await exchange.respond(HTTPStatus.OK)
            else:
                await self._answer_in(self._known(id, agent), exchange)
        except _RefusedError as refused:
            await exchange.refuse(refused.status, str(refused))
        except MCPError as error:
            await exchange.refuse(HTTPStatus.BAD_REQUEST, error.error.message, error.error.code)

    def _of_agent(self, agent: str) -> Session:
        session = self._without_handshake.get(agent)
        if session is None or session.over:
            session = self._without_handshake[agent] = self._open(agent, None)
        return session

    def _known(self, id: str, agent: str) -> Session:
        session = self._by_id.get(id)
        if session is None or session.over or session.agent != agent:  # whose it is, is nobody else's business
            raise _RefusedError(HTTPStatus.NOT_FOUND, "there is no such session, or no more; begin another one")
        return session

    async def _begin(self, exchange: Exchange, agent: str) -> None:
        """Answer a request that begins a session; if it does not, there is none."""
        if not _is_handshake(exchange):
            words = "say which session this belongs to, or begin one by `initialize`"
            raise _RefusedError(HTTPStatus.BAD_REQUEST, words)
        session = self._open(agent, uuid4().hex)
        try:
            await self._answer_in(session, exchange)
        finally:
            if exchange.status != HTTPStatus.OK:
                session.end()

    async def _answer_in(self, session: Session, exchange: Exchange) -> None:
        self._all[session] = self._all.pop(session)
        await session.answer(exchange)

    def _open(self, agent: str, id: str | None) -> Session:
        """Begin a session.

        Raises:
            _RefusedError: there is no room for one more.
        """
        there = [one for one in self._all if not one.over]
        of_agent = [one for one in there if one.agent == agent]
        if len(of_agent) >= _OF_ONE:
            unused = next((one for one in of_agent if not one.in_use), None)
            if unused is None:
                words = f"all {_OF_ONE} sessions of {agent!r} are in use; end one of them"
                raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, words)
            unused.end()
            there.remove(unused)
        if len(there) >= self._most:
            words = f"all {self._most:,} sessions are in use; try again later"
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, words)
        session = Session(self._make_desk(agent), id)
        self._all[session] = None
        if id is not None:
            self._by_id[id] = session
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


def _is_handshake(exchange: Exchange) -> bool:
    """Tell whether a request begins a session.

    Raises:
        MCPError: it is no message of the protocol.
    """
    if exchange.method != "POST":
        return False
    message = message_of(exchange.body)
    return isinstance(message, JSONRPCRequest) and message.method == "initialize"


class _RefusedError(Exception):
    """There is no session for a request."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
