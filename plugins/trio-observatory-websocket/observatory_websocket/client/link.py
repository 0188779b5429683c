"""One connection: calls and their answers, and the events that come in between."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from observatory import to_wire
from observatory_websocket.client.values import error_of


class LostError(Exception):
    """Raised for a call whose connection was lost before the answer came.

    Attributes:
        sent: whether the service may have it.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the connection was lost")
        self.sent = sent


class _Call:
    def __init__(self) -> None:
        self.answered = trio.Event()
        self.answer: Mapping[str, Any] | None = None


class Link:
    """A websocket that is connected.

    Args:
        socket: the websocket.
        notify: takes the parameters of each event.
    """

    def __init__(self, socket: WebSocketConnection, notify: Callable[[Mapping[str, Any]], None]) -> None:
        self._socket = socket
        self._notify = notify
        self._numbers = itertools.count(1)
        self._calls: dict[int, _Call] = {}
        self._lost = False

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Ask for something, and wait for the result. Cancelled, nobody waits for it any more.

        Raises:
            LostError: the connection was lost.
            ObservatoryError: what the service has answered.
        """
        number = next(self._numbers)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        text = orjson.dumps(request, default=to_wire).decode()
        if self._lost or self._socket.closed is not None:
            await trio.lowlevel.checkpoint()
            raise LostError(sent=False)
        call = self._calls[number] = _Call()
        try:
            await self._socket.send_message(text)
            await call.answered.wait()
        except ConnectionClosed:
            raise LostError(sent=True) from None
        finally:
            del self._calls[number]
        if call.answer is None:
            raise LostError(sent=True)
        if "error" in call.answer:
            raise error_of(call.answer["error"])
        return call.answer["result"]

    async def run(self) -> None:
        """Take what comes in, until the connection is lost."""
        try:
            while True:
                self._take(orjson.loads(await self._socket.get_message()))
        except ConnectionClosed:
            pass
        finally:
            self._lost = True
            for call in self._calls.values():
                call.answered.set()

    def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("method") == "topics.event":
            self._notify(message["params"])
            return
        call = self._calls.get(message.get("id"))  # type: ignore[arg-type]  # the service may not know which it was
        if call is not None:
            call.answer = message
            call.answered.set()
