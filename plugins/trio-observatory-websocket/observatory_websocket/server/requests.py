"""What one client asks for: taken one after another, and carried out side by side."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from observatory import ObservatoryError, RateLimitError
from observatory_websocket.server import rpc, waiting
from observatory_websocket.server.api import Api
from observatory_websocket.server.caller import Caller
from observatory_websocket.server.stream import SharedStream
from observatory_websocket.settings import WebSocketSettings

_log = logging.getLogger("observatory.websocket")


class Requests:
    """The requests of one connection.

    Args:
        socket: what they come from.
        stream: what is below it.
        api: what can be asked for.
        settings: the bounds.
        write: writes an answer.
    """

    def __init__(
        self,
        socket: WebSocketConnection,
        stream: SharedStream,
        api: Api,
        settings: WebSocketSettings,
        write: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self.taken = 0
        """Requests taken so far ..."""
        self.failed = 0
        """... and those of them that were answered with an error."""
        self._socket = socket
        self._stream = stream
        self._api = api
        self._settings = settings
        self._write = write
        self._room = trio.Semaphore(settings.max_requests)
        self._batched = rpc.AnswerRoom()
        self._waiting = waiting.Waiting()
        self._taking = True  # a task takes requests, or waits for one
        self._spare = trio.lowlevel.ParkingLot()  # where a task waits that can take requests, one at most

    async def run(self, caller: Callable[[], Caller]) -> None:
        """Take requests until the connection is closed.

        Args:
            caller: makes what a request is told of who asks.
        """
        self._caller = caller
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._hear)
            await self._take()

    async def _hear(self) -> None:
        """Be told of what comes in for as long as the nursery takes tasks, of which this is one."""
        self._stream.on_heard = self._see_to_taking
        try:
            await trio.sleep_forever()
        finally:
            self._stream.on_heard = None

    async def _take(self) -> None:
        """Carry out one request after another; another task takes what comes meanwhile, so they begin in order."""
        try:
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
                self._nursery.start_soon(self._take)

    async def _next_request(self) -> rpc.Request:
        """Return the next request, once there is room for it; batches, and those that wait, are begun on the way."""
        while True:
            await self._wait_written()
            message = await self._socket.get_message()
            try:
                read = rpc.read(message)
            except rpc.BadRequestError as error:
                await self._count()
                await self._write(rpc.write(error.answer()))
                continue
            if isinstance(read, list):
                await self._nursery.start(self._answer_batch, read)
            elif read.method == waiting.CANCEL:
                await self._count()
                self._waiting.cancel(read.params)
            elif read.method in waiting.METHODS:
                await self._begin_waiting(read)
            else:
                await self._take_room()
                return read

    async def _count(self) -> None:
        """Count what is no request, or has no answer, as a request; who sends too much of it is held back."""
        admitted = False
        while not admitted:
            try:
                self._api.admit(self._caller().identity)
                admitted = True
            except RateLimitError as error:
                await trio.sleep(error.retry_after)

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
        answers = rpc.BatchAnswer(requests, self._batched)
        callers = [self._caller() for _ in requests]

        async def carry_out(place: int, request: rpc.Request) -> None:
            try:
                outcome = await self._outcome(request, callers[place])
                if not answers.put(place, request, outcome):
                    callers[place].take_back()
            finally:
                self._room.release()

        try:
            async with trio.open_nursery() as nursery:
                for place, request in enumerate(requests):
                    if not isinstance(request, rpc.Request):
                        await self._count()
                    else:
                        await self._room.acquire()
                        nursery.start_soon(carry_out, place, request)
                        await trio.lowlevel.checkpoint()  # the next one begins after it
                task_status.started()
            joined = answers.joined()
        finally:
            answers.let_go()
        if joined is not None:
            await self._write(joined)
        for caller in callers:
            self._begin_following(caller)

    def _begin_following(self, caller: Caller) -> None:
        """Write what is followed or listened for since, now that the answer that says so was written."""
        for follower in caller.followers:
            self._nursery.start_soon(follower.run)
        listening = caller.listening
        if len(listening) and not listening.begun:
            listening.begun = True
            self._nursery.start_soon(listening.listener.run)

    async def _outcome(self, request: rpc.Request, caller: Caller) -> bytes:
        """Carry out a request; return the answer to it."""
        self.taken += 1
        try:
            try:
                answer = await self._api.call(request, caller)
                self.failed += "error" in answer
                await self._wait_written()  # before it is made, so that no more than one lies here
                return rpc.write(answer)
            except ObservatoryError as error:
                self.failed += 1
                caller.take_back()
                return rpc.write(request.failure(error))
        except Exception as error:  # noqa: BLE001 -- one of the four edges: a request, of a method that a plugin may have written
            self.failed += 1
            _log.error("the method %r has failed", request.method, exc_info=error)
            return rpc.write(request.fault())

    async def _wait_written(self) -> None:
        with suppress(trio.BrokenResourceError):  # it is told of by the stream
            await self._stream.wait_written(self._settings.queue_bytes)
