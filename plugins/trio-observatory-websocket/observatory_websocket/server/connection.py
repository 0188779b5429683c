"""One connection: says who it is, asks, follows topics, and is watched."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from observatory import Identity, InvalidInputError, ObservatoryError, UnauthorizedError
from observatory_websocket.server import rpc
from observatory_websocket.server.api import Api, Caller
from observatory_websocket.server.following import Following
from observatory_websocket.server.frames import close_frame, cut, text_frame
from observatory_websocket.server.listening import Listening
from observatory_websocket.server.stream import SharedStream
from observatory_websocket.settings import WebSocketSettings

_log = logging.getLogger("observatory.websocket")

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013

_MOST_WAITING = 1_000
"""Requests of a connection that wait for somebody else: each of them is a task."""

_GRACE = 10.0
"""Seconds in which a connection that is closed can take what was written, and say goodbye."""


class Connection:
    """One websocket.

    Args:
        socket: the websocket, accepted.
        stream: what it writes to.
        api: what can be asked for.
        following: what it follows.
        listening: for whose mail it listens.
        settings: the bounds.
        identity: who it is; None when the token is still to come.
    """

    def __init__(
        self,
        socket: WebSocketConnection,
        stream: SharedStream,
        api: Api,
        following: Following,
        listening: Listening,
        settings: WebSocketSettings,
        identity: Identity | None,
    ) -> None:
        self.requests = 0
        """Requests taken so far."""
        self._socket = socket
        self._stream = stream
        self._api = api
        self._following = following
        self._listening = listening
        self._settings = settings
        self._identity = identity
        self._room = trio.Semaphore(settings.max_requests)
        self._full_since: float | None = None
        self._closing = False
        self._waiting: dict[trio.CancelScope, rpc.Id] = {}

    @property
    def identity(self) -> Identity | None:
        """Who it is."""
        return self._identity

    async def run(self) -> None:
        """Serve until it is closed, from either side."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._keep_alive)
                try:
                    identity = self._identity = self._identity or await self._authenticate()
                    if identity is not None:
                        self._caller = partial(Caller, identity, self._following, self._listening)
                        await self._take_requests()
                except ConnectionClosed:
                    pass
                nursery.cancel_scope.cancel()
        except trio.Cancelled:
            await self._stream.say_last(close_frame(GOING_AWAY, "the service is ending"))  # noqa: ASYNC102 -- shielded
            raise
        finally:
            self._following.close()
            self._listening.close()

    def watch(self, now: float) -> None:
        """Look after it, once a second: one that stays full is closed, with how far it was served."""
        if not self._is_full():
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now
        elif now - self._full_since >= self._settings.full_seconds and not self._closing:
            self._closing = True
            _log.warning("a connection of %s is closed: it does not read fast enough", self._name())
            self._nursery.start_soon(self.close, TRY_AGAIN_LATER, "too slow; last ")

    async def close(self, code: int, reason: str) -> None:
        """Close it, once what is being written was taken; after a while whether it was or not."""
        self._closing = True
        with trio.move_on_after(_GRACE):
            last = await self._following.end()
            await self._socket.aclose(code, cut(f"{reason}{last}"))
        self._nursery.cancel_scope.cancel()

    def statistics(self) -> dict[str, Any]:
        """Return its figures."""
        return {
            "identity": self._identity.name if self._identity else None,
            "requests": self.requests,
            "subscriptions": len(self._following),
            "written_bytes": self._stream.written,
            "full": self._full_since is not None,
        }

    def _name(self) -> str:
        return "the owner" if self._identity is None or self._identity.name is None else repr(self._identity.name)

    def _is_full(self) -> bool:
        settings = self._settings
        return self._stream.blocked_since is not None and self._following.is_full(
            settings.queue_events, settings.queue_bytes
        )

    async def _keep_alive(self) -> None:
        """Ping, and end a connection that does not answer in time."""
        pause = self._settings.ping_seconds
        while True:
            await trio.sleep(pause)
            with trio.move_on_after(pause) as scope:
                try:
                    await self._socket.ping()
                except ConnectionClosed:
                    return
            if scope.cancelled_caught and not self._closing:
                _log.warning("a connection of %s is ended: it does not answer", self._name())
                self._nursery.cancel_scope.cancel()

    async def _authenticate(self) -> Identity | None:
        """Take the token as the first message; close the connection where it does not come, or is wrong."""
        with trio.move_on_after(self._settings.handshake_seconds):
            request = await self._first_request()
            if request is not None:
                try:
                    identity = self._api.authenticate(request.params)
                    await self._write(request.result({"identity": identity.name}))
                    return identity
                except ObservatoryError as error:
                    await self._write(request.failure(error))
        await self.close(POLICY_VIOLATION, "a token is needed: as a header, or as the first message")
        return None

    async def _first_request(self) -> rpc.Request | None:
        try:
            request = rpc.read(await self._socket.get_message())
        except rpc.BadRequestError as error:
            await self._write(error.answer())
            return None
        if isinstance(request, rpc.Request) and request.method == Api.AUTHENTICATE:
            return request
        if isinstance(request, rpc.Request):
            await self._write(request.failure(UnauthorizedError()))
        return None

    async def _take_requests(self) -> None:
        """Begin each request in the order in which they come, and carry out some at a time."""
        while True:
            message = await self._socket.get_message()  # a turn of the loop, so what was begun before is under way
            try:
                read = rpc.read(message)
            except rpc.BadRequestError as error:
                await self._write(error.answer())
                continue
            if isinstance(read, list):
                await self._take_batch(read)
            elif read.method == Api.CANCEL:
                self._cancel(read)
            elif read.method in Api.WAITING:
                await self._begin_waiting(read)
            else:
                await self._room.acquire()
                self._nursery.start_soon(self._answer_one, read)

    async def _begin_waiting(self, request: rpc.Request) -> None:
        """Carry out what waits for somebody else: it takes no room from the others, and its client can take it back."""
        if len(self._waiting) >= _MOST_WAITING:
            reason = f"a connection may wait for {_MOST_WAITING:,} messages, and this one does"
            await self._write(request.failure(InvalidInputError("method", reason)))
            return
        scope = trio.CancelScope()
        self._waiting[scope] = request.id
        self._nursery.start_soon(self._wait_and_answer, request, scope)

    async def _wait_and_answer(self, request: rpc.Request, scope: trio.CancelScope) -> None:
        try:
            with scope:  # noqa: ASYNC912 -- it waits for as long as it takes
                answer = await self._outcome(request, self._caller())
        finally:
            del self._waiting[scope]
        if not scope.cancelled_caught and answer is not None:
            await self._write(answer)

    def _cancel(self, request: rpc.Request) -> None:
        """Take back what waits under an id; there is no answer, to neither of the two."""
        id = request.params.get("id") if isinstance(request.params, dict) else None
        for scope, waiting in self._waiting.items():
            if waiting == id:
                scope.cancel()

    async def _take_batch(self, batch: Sequence[rpc.Request | rpc.BadRequestError]) -> None:
        """Carry a batch out, its requests begun in their order, and answer with all that have an answer."""
        answers: list[Any] = [None] * len(batch)
        caller = self._caller()

        async def carry_out(place: int, request: rpc.Request) -> None:
            try:
                answers[place] = await self._outcome(request, caller)
            finally:
                self._room.release()

        async with trio.open_nursery() as nursery:
            for place, request in enumerate(batch):
                if isinstance(request, rpc.BadRequestError):
                    answers[place] = request.answer()
                    continue
                await self._room.acquire()
                nursery.start_soon(carry_out, place, request)
                await trio.lowlevel.checkpoint()  # the next one begins after it
        given = [answer for answer in answers if answer is not None]
        if given:
            await self._write(given)
        self._begin_following(caller)

    async def _answer_one(self, request: rpc.Request) -> None:
        caller = self._caller()
        try:
            answer = await self._outcome(request, caller)
            if answer is not None:
                await self._write(answer)
            self._begin_following(caller)
        finally:
            self._room.release()

    def _begin_following(self, caller: Caller) -> None:
        """Write what is followed or listened for since, now that the answer that says so was written."""
        for follower in caller.followers:
            follower.begun = True
            self._nursery.start_soon(follower.run)
        if len(self._listening) and not self._listening.begun:
            self._listening.begun = True
            self._nursery.start_soon(self._listening.listener.run)

    async def _outcome(self, request: rpc.Request, caller: Caller) -> dict[str, Any] | None:
        """Carry out a request; return its answer, or None where nobody wants one."""
        self.requests += 1
        try:
            answer = await self._api.call(request, caller)
        except ObservatoryError as error:
            answer = request.failure(error)
        except Exception as error:  # noqa: BLE001 -- one of the four edges: a request, of a method that a plugin may have written
            _log.error("the method %r has failed", request.method, exc_info=error)
            answer = request.fault()
        return answer if request.answered else None

    async def _write(self, answer: Any) -> None:
        try:
            data = rpc.write(answer)
        except ObservatoryError as error:
            data = self._unwritable(answer, error)
        if self._socket.closed is None:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # its reader hears of it, too
                await self._stream.send_all(text_frame(data))

    def _unwritable(self, answer: Any, error: ObservatoryError) -> bytes:
        """Return an answer that says that the answer cannot be written, for each one that cannot."""
        if isinstance(answer, list):
            return b"[" + b",".join(self._written(one) for one in answer) + b"]"
        return rpc.write(rpc.Request("", None, answer.get("id"), True).failure(error))

    def _written(self, answer: Any) -> bytes:
        try:
            return rpc.write(answer)
        except ObservatoryError as error:
            return self._unwritable(answer, error)
