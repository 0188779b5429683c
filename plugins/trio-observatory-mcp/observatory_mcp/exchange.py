"""One request over HTTP and the answer to it, whatever becomes of those who ask and answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from types import MappingProxyType
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
        body: of the request, once that was read.
        status: of the answer, once that has begun.
        complete: whether the answer is.
    """

    def __init__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        self.scope: Asgi = {**scope, "state": {**scope["state"], _STATE: self}}
        self.body = b""
        self.status: int | None = None
        self.complete = False
        self._receive = receive
        self._send = send
        self._given = False
        self._gone = False
        self._left = False
        self._work: set[trio.CancelScope] = set()

    @property
    def method(self) -> str:
        """Of HTTP, in upper case."""
        method: str = self.scope["method"]
        return method

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
        self.body = bytes(body)
        return True

    async def watch(self, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        """Have it answered, and see meanwhile whether the client goes: what is worked on for it ends then."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._leave_with_client)
            await answer(self)
            nursery.cancel_scope.cancel()

    async def look(self) -> None:
        """See whether the client has gone already, where that is not watched: nothing is worked on for it then."""
        with trio.CancelScope() as now:
            now.cancel()
            await self._leave_with_client()

    async def _leave_with_client(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self.leave()

    def leave(self) -> None:
        """Note that nobody waits any more for what is worked on."""
        self._left = True
        for work in self._work:
            work.cancel()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work on it, here or in another task: what is in the block ends when nobody waits for it any more."""
        with trio.CancelScope() as work:
            if self._left:
                work.cancel()
            self._work.add(work)
            try:
                yield
            finally:
                self._work.discard(work)

    async def receive(self) -> Asgi:
        """Give the body at once, and nothing more: that the client goes is seen to elsewhere."""
        if self._given:
            await trio.sleep_forever()
        self._given = True
        await trio.lowlevel.checkpoint_if_cancelled()  # it is there, and a turn of the loop would cost more than it
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: Asgi) -> None:
        """Take a part of the answer; nobody gets it when the client has gone."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.complete = not message.get("more_body", False)
        if not self._gone:
            await self._send(message)

    async def begin(self, status: HTTPStatus, headers: Mapping[bytes, bytes]) -> None:
        """Begin the answer."""
        await self.send({"type": "http.response.start", "status": int(status), "headers": list(headers.items())})

    async def go_on(self, data: bytes, *, more: bool = True) -> None:
        """Write what comes next of it."""
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def respond(
        self, status: HTTPStatus, data: bytes = b"", headers: Mapping[bytes, bytes] = MappingProxyType({})
    ) -> None:
        """Answer by one JSON value, or by nothing."""
        fields = {b"content-length": b"%d" % len(data), **headers}
        await self.begin(status, {b"content-type": b"application/json", **fields} if data else fields)
        await self.go_on(data, more=False)

    async def refuse(
        self,
        status: HTTPStatus,
        reason: str,
        code: int = INVALID_REQUEST,
        headers: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> None:
        """Answer that it is refused, as JSON-RPC says that."""
        body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": reason}}
        busy = {b"retry-after": b"1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        await self.respond(status, json.dumps(body).encode(), {**busy, **headers})

    async def break_off(self) -> None:
        """End the answer, of which nothing more comes."""
        if self.status is None:
            await self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "this session has ended; begin another one")
        else:
            await self.go_on(b"", more=False)


def exchange_of(scope: Asgi) -> Exchange:
    """Return the exchange that a request belongs to."""
    found: Exchange = scope["state"][_STATE]
    return found
