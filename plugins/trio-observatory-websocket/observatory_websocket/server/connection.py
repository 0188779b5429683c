"""One connection: says who it is, asks, follows topics, and is watched."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from observatory import Identity, ObservatoryError
from observatory_websocket.server import rpc, waiting
from observatory_websocket.server.api import Api
from observatory_websocket.server.caller import Caller
from observatory_websocket.server.first_message import read_identity
from observatory_websocket.server.following import Following
from observatory_websocket.server.frames import PING, close_frame, text_frame
from observatory_websocket.server.listening import Listening
from observatory_websocket.server.stream import SharedStream
from observatory_websocket.settings import WebSocketSettings

_log = logging.getLogger("observatory.websocket")

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
TOO_LARGE = 1009
TRY_AGAIN_LATER = 1013

_GRACE = 10.0
"""Seconds in which a connection that is closed can take what was written."""


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
        self._waiting = waiting.Waiting()
        self._spare = trio.lowlevel.ParkingLot()  # where a task waits that can take requests, one at most
        self._taking = True  # a task takes requests, or waits for one
        self._full = False
        self._closing = False

    async def run(self) -> None:
        """Serve until it is closed, from either side."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._keep_alive)
                nursery.start_soon(self._until_ended)
                self._stream.on_heard = self._see_to_taking
                await self._take_requests()
        finally:
            self._stream.on_heard = None
            self._following.close()
            self._listening.close()

    def watch(self, now: float) -> None:
        """Look after it, once a second: one that stays full is closed, with how far it was served."""
        settings = self._settings
        since = self._following.full_since(settings.queue_events, settings.queue_bytes)
        self._full = since is not None and self._stream.blocked_since is not None
        if since is not None and self._full and now - since >= settings.full_seconds and not self._closing:
            _log.warning("a connection of %s is closed: it does not read fast enough", self._name())
            self.close_soon(TRY_AGAIN_LATER, "too slow")

    def close_soon(self, code: int, reason: str) -> None:
        """Begin to close it, unless that has begun: with a reason, and the last number of each topic."""
        if not self._closing:
            self._closing = True
            self._nursery.start_soon(self._close, code, reason)

    async def wait_ended(self) -> None:
        """Wait until it is over."""
        await self._stream.ended.wait()

    async def _close(self, code: int, reason: str) -> None:
        """Say so once what is being written was taken; after a while it is over whether it was or not."""
        with trio.move_on_after(_GRACE):
            last = self._following.end()
            await self._send(close_frame(code, f"{reason}; last {last}" if last else reason))
        self._nursery.cancel_scope.cancel()

    def statistics(self) -> dict[str, Any]:
        """Return its figures."""
        return {
            "identity": self._identity.name if self._identity else None,
            "requests": self.requests,
            "subscriptions": len(self._following),
            "written_bytes": self._stream.written,
            "full": self._full,
        }

    def _name(self) -> str:
        return "the owner" if self._identity is None or self._identity.name is None else repr(self._identity.name)

    def _is_too_large(self, message: str | bytes) -> bool:
        """Tell whether a message is: trio-websocket counts characters of text, of which one has up to four bytes."""
        most = self._settings.max_frame_bytes
        return isinstance(message, str) and len(message) > most // 4 and len(message.encode()) > most

    async def _until_ended(self) -> None:
        """Let go of everything once it is over: whoever is gone waits for nothing."""
        await self._stream.ended.wait()
        self._nursery.cancel_scope.cancel()

    async def _keep_alive(self) -> None:
        """Ping, and end a connection from which nothing comes in time."""
        asked = -math.inf
        while True:
            await trio.sleep(self._settings.ping_seconds)
            if self._stream.heard < asked and self._room.value and not self._closing:
                _log.warning("a connection of %s is ended: it does not answer", self._name())
                self._nursery.cancel_scope.cancel()
            # While requests are at their bound nothing more may be read, and so the answer not be seen.
            asked = trio.current_time()
            self._nursery.start_soon(self._send, PING)  # not here: cut off, it would break the stream

    async def _authenticate(self) -> Identity:
        """Wait for the first message, which must say who it is; else close the connection."""
        with trio.move_on_after(self._settings.handshake_seconds):
            identity = await read_identity(self._socket, self._api, self._write)
            if identity is not None:
                return identity
        self.close_soon(POLICY_VIOLATION, "a token is needed: as a header, or as the first message")
        await trio.sleep_forever()

    async def _take_requests(self) -> None:
        """Carry out one request after another; another task takes what comes meanwhile, so they begin in order."""
        try:
            identity = self._identity = self._identity or await self._authenticate()
            self._caller = partial(Caller, identity, self._following, self._listening)
            while True:
                self._taking = True
                request = await self._next_request()
                self._taking = False
                if not self._stream.quiet:
                    self._see_to_taking()
                await self._answer_one(request)
                if self._taking:
                    if self._spare:
                        return
                    await self._spare.park()
        except ConnectionClosed:
            self._nursery.cancel_scope.cancel()

    def _see_to_taking(self) -> None:
        """Let a task take what has come in, unless one does."""
        if not self._taking:
            self._taking = True
            if self._spare:
                self._spare.unpark()
            else:
                self._nursery.start_soon(self._take_requests)

    async def _next_request(self) -> rpc.Request:
        """Return the next request, once there is room for it; batches, and those that wait, are begun on the way."""
        while True:
            await self._stream.wait_written(self._settings.queue_bytes)
            message = await self._socket.get_message()
            if self._is_too_large(message):
                self.close_soon(TOO_LARGE, f"a message has at most {self._settings.max_frame_bytes} bytes")
                await trio.sleep_forever()
            try:
                read = rpc.read(message)
            except rpc.BadRequestError as error:
                await self._write(rpc.write(error.answer()))
                continue
            if isinstance(read, list):
                await self._nursery.start(self._answer_batch, read)
            elif read.method == waiting.CANCEL:
                self._waiting.cancel(read.params)
            elif read.method in waiting.METHODS:
                await self._begin_waiting(read)
            else:
                await self._take_room()
                return read

    async def _take_room(self) -> None:
        try:
            self._room.acquire_nowait()
        except trio.WouldBlock:
            await self._room.acquire()

    async def _begin_waiting(self, request: rpc.Request) -> None:
        try:
            scope = self._waiting.begin(request.id)
        except ObservatoryError as error:
            if request.answered:
                await self._write(rpc.write(request.failure(error)))
        else:
            self._nursery.start_soon(self._wait_and_answer, request, scope)

    async def _wait_and_answer(self, request: rpc.Request, scope: trio.CancelScope) -> None:
        try:
            with scope:
                answer = await self._outcome(request, self._caller())
        finally:
            self._waiting.end(scope)
        if request.answered and not scope.cancelled_caught:
            await self._write(answer)

    async def _answer_one(self, request: rpc.Request) -> None:
        caller = self._caller()
        try:
            answer = await self._outcome(request, caller)
            if request.answered:
                await self._write(answer)
            self._begin_following(caller)
        finally:
            self._room.release()

    async def _answer_batch(
        self, requests: Sequence[rpc.Request | rpc.BadRequestError], *, task_status: trio.TaskStatus[None]
    ) -> None:
        """Carry a batch out, its requests begun in their order, and answer with all that have an answer."""
        caller = self._caller()
        answers = rpc.BatchAnswer(requests)

        async def carry_out(place: int, request: rpc.Request) -> None:
            try:
                answers.put(place, request, await self._outcome(request, caller))
            finally:
                self._room.release()

        async with trio.open_nursery() as nursery:
            for place, request in enumerate(requests):
                if isinstance(request, rpc.Request):
                    await self._room.acquire()
                    nursery.start_soon(carry_out, place, request)
                    await trio.lowlevel.checkpoint()  # the next one begins after it
            task_status.started()
        joined = answers.joined()
        if joined is not None:
            await self._write(joined)
        self._begin_following(caller)

    def _begin_following(self, caller: Caller) -> None:
        """Write what is followed or listened for since, now that the answer that says so was written."""
        for follower in caller.followers:
            self._nursery.start_soon(follower.run)
        if len(self._listening) and not self._listening.begun:
            self._listening.begun = True
            self._nursery.start_soon(self._listening.listener.run)

    async def _outcome(self, request: rpc.Request, caller: Caller) -> bytes:
        """Carry out a request; return the answer to it."""
        self.requests += 1
        try:
            try:
                return rpc.write(await self._api.call(request, caller))
            except ObservatoryError as error:
                return rpc.write(request.failure(error))
        except Exception as error:  # noqa: BLE001 -- one of the four edges: a request, of a method that a plugin may have written
            _log.error("the method %r has failed", request.method, exc_info=error)
            return rpc.write(request.fault())

    async def _write(self, data: bytes) -> None:
        await self._send(text_frame(data))

    async def _send(self, frame: bytes) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # it is told of by the stream
            if not self._stream.send_nowait(frame):
                await self._stream.flush()
