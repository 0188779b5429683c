"""What was asked and is not answered yet, in the order in which it was begun, over one connection after another."""

from __future__ import annotations

import enum
import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson
import trio

from observatory import ObservatoryError, OutcomeUnknownError
from observatory_websocket.client.values import as_json, error_of

Then: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Takes a result before anything is looked at that comes in after it."""
MayWrite: TypeAlias = Callable[[], bool]
"""Is asked whenever a request is about to be written, which it is not when that is False."""

_LOST = (
    "the connection to the service was lost before its answer came; with an idempotency key the same can be sent again"
)
_FORGOTTEN = (
    "the service was started again before its answer came, and its storage does not last, so it cannot tell whether "
    "this was done; look before you ask again"
)
_DOUBT = "there is no connection any more over which its answer could come"
_TOO_BIG = (
    "the connection to the service was closed over a message that is larger than one may be, while this was in hand"
)


class Again(enum.Enum):
    """Whether something may be asked twice, so that a lost connection costs only time."""

    NO = enum.auto()
    REMEMBERED = enum.auto()
    """As long as the service remembers that it has done it."""
    YES = enum.auto()


class Call:
    """A request, until it is answered.

    Args:
        data: what is written.
        again: whether it may be asked twice.
        then: takes the result.
        may_write: whether it may still be written.
    """

    def __init__(
        self, data: bytes, *, again: Again = Again.NO, then: Then | None = None, may_write: MayWrite | None = None
    ) -> None:
        self.data = data
        self.sent = False
        """Whether a service may have it."""
        self.done = trio.Event()
        self.again = again
        self._then = then
        self._may_write = may_write
        self._result: Any = None
        self._error: ObservatoryError | None = None

    def begin(self) -> bool:
        """Note that it is about to be written; return False when it must not be any more."""
        if self._may_write is not None and not self._may_write():
            return False
        self.sent = True
        return True

    def take(self, answer: Mapping[str, Any]) -> None:
        """Take the answer."""
        if "error" in answer:
            self.fail(error_of(answer["error"]))
            return
        self._result = answer["result"]
        if self._then is not None:
            self._then(self._result)
        self.done.set()

    def fail(self, error: ObservatoryError) -> None:
        """End without a result."""
        self._error = error
        self.done.set()

    def result(self) -> Any:
        """Return what has come of it.

        Raises:
            ObservatoryError: the error that it ended with.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)  # others may have been told with the same one
        return self._result


class Calls:
    """All requests of one client.

    They are written in the order in which they were begun. What may be asked twice is written again, to the next
    connection, still in that order; so is what has not been written yet.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._calls: OrderedDict[int, Call] = OrderedDict()  # those that somebody waits for
        self._unsent: OrderedDict[int, Call] = OrderedDict()
        self._more = trio.Event()
        self._connected = trio.Event()
        self._refusal: ObservatoryError | None = None
        self._run: bytes | None = None
        self._lasting = True

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        again: Again = Again.NO,
        then: Then | None = None,
        may_write: MayWrite | None = None,
    ) -> Any:
        """Ask for something, and wait for the result; while there is no connection, wait for one.

        Cancelled, it is not asked for, or taken back, or its answer is let go.

        Args:
            method: what is asked for.
            params: by name.
            again: whether it may be asked twice.
            then: takes the result before anything is looked at that comes in after it.
            may_write: is asked whenever it is about to be written. Whoever says no cancels this.

        Raises:
            OutcomeUnknownError: the connection, or the service, was lost with the request in hand.
            InvalidInputError: JSON cannot hold the parameters.
            ClosedError: the client is closed; and what the service answers, or refuses a connection for.
        """
        number = next(self._numbers)
        try:
            self.check_open()
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": as_json(params)}
        except ObservatoryError:
            await trio.lowlevel.checkpoint()  # noqa: ASYNC120 -- cancelled, it may be that
            raise
        call = self._calls[number] = Call(orjson.dumps(request), again=again, then=then, may_write=may_write)
        self._put(number, call)
        try:
            await call.done.wait()
        finally:
            del self._calls[number]
            if self._unsent.pop(number, None) is None and call.sent and not call.done.is_set():
                self._tell("observatory.cancel", {"id": number})
        return call.result()

    async def next(self) -> Call:
        """Return what is to be written next; wait until there is something."""
        while True:  # noqa: ASYNC913 -- what is there needs no waiting
            while not self._unsent:
                await self._more.wait()
            _, call = self._unsent.popitem(last=False)
            if call.begin():
                return call

    def take(self, answer: Mapping[str, Any]) -> None:
        """Take an answer; one that nobody waits for is let go."""
        call = self._calls.get(answer["id"])
        if call is not None:
            call.take(answer)

    def check_open(self) -> None:
        """Check that something can be asked for.

        Raises:
            ObservatoryError: everybody was let go with that, such as `ClosedError`.
        """
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)

    async def wait_connected(self) -> None:
        """Wait until a connection is made, which is another one than there is now."""
        await self._connected.wait()

    def connect(self, run: bytes | None, *, lasting: bool) -> None:
        """Note that there is a connection, and which run of the service is asked from now on.

        Args:
            run: changes with every start of the service.
            lasting: whether its storage remembers after that what it has done.
        """
        forgotten = run != self._run and not (lasting and self._lasting)
        self._run, self._lasting = run, lasting
        for number, call in tuple(self._unsent.items()) if forgotten else ():
            if call.sent and call.again is Again.REMEMBERED:
                del self._unsent[number]
                call.fail(OutcomeUnknownError(_FORGOTTEN))
        self._connected.set()
        self._connected = trio.Event()

    def lose(self, *, too_big: bool) -> None:
        """Note that the connection is gone.

        Args:
            too_big: whether it was closed over the size of a message; then it would be closed over that again.
        """
        waiting, self._unsent = self._unsent, OrderedDict()
        for number, call in self._calls.items():
            if call.done.is_set():
                continue
            if number not in waiting and (too_big or call.again is Again.NO):
                call.fail(OutcomeUnknownError(_TOO_BIG if too_big else _LOST))
            else:
                self._unsent[number] = call

    def refuse(self, error: ObservatoryError) -> None:
        """Let everybody go who waits, now and from now on; of what a service may have, the outcome is unknown."""
        self._refusal = error
        for call in self._calls.values():
            if not call.done.is_set():
                in_doubt = call.sent and call.again is not Again.YES
                call.fail(OutcomeUnknownError(f"{_DOUBT}: {error}") if in_doubt else error)

    def _tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Write something that has no answer, unless the connection is lost before that."""
        notification = {"jsonrpc": "2.0", "method": method, "params": params}
        self._put(next(self._numbers), Call(orjson.dumps(notification)))

    def _put(self, number: int, call: Call) -> None:
        self._unsent[number] = call
        self._more.set()
        self._more = trio.Event()
