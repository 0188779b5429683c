"""One request over HTTP and the answer to it, whatever becomes of those who ask and answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeAlias

import trio

from observatory import Asgi

Receive: TypeAlias = Callable[[], Awaitable[Asgi]]
Send: TypeAlias = Callable[[Asgi], Awaitable[None]]

INVALID_REQUEST = -32600
"""JSON-RPC's number for what the protocol does not allow."""

_STATE = "observatory.mcp"


class Exchange:
    """A request, and its answer.

    Args:
        scope: the request, as ASGI says it, within the bounds of whoever has let it in.
        receive: gives its body.
        send: takes the answer.

    Attributes:
        scope: the request; what works on it elsewhere finds this exchange by it.
        on_session: is told the id of a session that the answer begins, or speaks for.
    """

    def __init__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        self.scope: Asgi = {**scope, "state": {**scope["state"], _STATE: self}}
        self.on_session: Callable[[str], None] | None = None
        self.status: int | None = None
        """Of the answer, once that has begun."""
        self._receive = receive
        self._send = send
        self._body: Asgi | None = None
        self._complete = False
        self._work = trio.CancelScope()

    @property
    def work(self) -> trio.CancelScope:
        """What whoever works on it elsewhere does so in: it ends when nobody waits for the answer any more."""
        return self._work

    def header(self, name: bytes) -> str | None:
        """Return the value of a header, whose name is in lower case; None without it."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), None)

    async def read(self) -> bool:
        """Wait for the whole body; return whether it has come before the client has gone."""
        body, more = bytearray(), True
        while more:
            part = await self._receive()
            if part["type"] != "http.request":
                return False
            body += part.get("body", b"")
            more = part.get("more_body", False)
        self._body = {"type": "http.request", "body": bytes(body), "more_body": False}
        return True

    async def receive(self) -> Asgi:
        """Give the body at once, and then that the client has gone, when it has."""
        if self._body is None:
            return await self._receive()
        await trio.lowlevel.checkpoint_if_cancelled()  # it is there, and a turn of the loop would cost more than it
        body, self._body = self._body, None
        return body

    async def send(self, message: Asgi) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            id = next((value for name, value in message.get("headers", ()) if name == b"mcp-session-id"), None)
            if id is not None and self.on_session is not None and message["status"] < HTTPStatus.BAD_REQUEST:
                self.on_session(id.decode("latin-1"))
        else:
            self._complete = not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer that it is refused, as JSON-RPC says that."""
        body = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": reason}}
        headers = [(b"content-type", b"application/json")]
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append((b"retry-after", b"1"))
        data = json.dumps(body).encode()
        headers.append((b"content-length", b"%d" % len(data)))
        await self.send({"type": "http.response.start", "status": int(status), "headers": headers})
        await self.send({"type": "http.response.body", "body": data})

    async def break_off(self) -> None:
        """End the answer, of which nothing more comes."""
        if self.status is None:
            await self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "this session has ended; begin another one")
        elif not self._complete:
            await self.send({"type": "http.response.body", "body": b""})

    def leave(self) -> None:
        """Note that nobody waits for the answer any more."""
        self._work.cancel()


def exchange_of(scope: Asgi) -> Exchange:
    """Return the exchange that a request belongs to."""
    found: Exchange = scope["state"][_STATE]
    return found
