"""One connection after another, and what is followed over them."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeAlias

import trio

from observatory import (
    ClosedError,
    ForbiddenError,
    InvalidInputError,
    ObservatoryError,
    RateLimitError,
    UnauthorizedError,
    UnreachableError,
)
from observatory_websocket.client.calls import Again, Calls, Then
from observatory_websocket.client.link import Address, Link
from observatory_websocket.client.subscriptions import WebSocketSubscription
from observatory_websocket.client.values import event_of

_log = logging.getLogger("observatory.websocket")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

Locate: TypeAlias = Callable[[], Awaitable[Address]]
"""Finds the service, for each connection anew, since it may have been started again. Raises `UnreachableError`."""


class Session:
    """Calls, and subscriptions, over one connection after another.

    Args:
        locate: finds the service.
    """

    def __init__(self, locate: Locate) -> None:
        self.calls = Calls()
        """What is asked."""
        self._locate = locate
        self._connection: trio.Nursery | None = None
        """Its tasks end with the connection; None while there is none."""
        self._was_connected = False
        self._subscriptions: dict[str, WebSocketSubscription] = {}
        self._leaving: dict[str, trio.Event] = {}  # topics and patterns of which events of before may still come
        self._chance = random.Random()

    async def subscribe(self, topic: str, since: int | None, epoch: str | None) -> WebSocketSubscription:
        """Follow a topic or a pattern, also after the connection was lost.

        Raises:
            InvalidInputError: this client follows it already, or it is not allowed; and what `Calls.ask` raises.
        """
        try:
            subscription = self._enter(topic, since, epoch)
        except InvalidInputError:
            await trio.lowlevel.checkpoint()  # noqa: ASYNC120 -- cancelled, it may be that
            raise
        try:
            while topic in self._leaving:
                await self._leaving[topic].wait()
            await self.calls.ask("topics.subscribe", subscription.params, again=Again.YES, then=subscription.begin)
        except ObservatoryError:
            self._forget(subscription)
            raise
        except BaseException:
            self._leave(subscription)
            raise
        return subscription

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep connected until cancelled, or until the service does not let this client in any more.

        Raises:
            ObservatoryError: there is no first connection.
        """

        @contextmanager
        def connected(nursery: trio.Nursery) -> Iterator[None]:
            self._connection = nursery
            try:
                self._resume(nursery)
                if not self._was_connected:
                    self._was_connected = True
                    task_status.started()
                yield
            finally:
                self._connection = None  # before the nursery is closed to new tasks

        failures = 0
        while True:
            failures += 1
            try:
                if await self._serve(connected):
                    failures = 0
            except (UnauthorizedError, ForbiddenError) as error:
                if not self._was_connected:
                    raise
                self._end(error)
                return
            except UnreachableError as error:
                if not self._was_connected:
                    raise
                _log.info("%s; trying again", error)
            longest = min(_FIRST_PAUSE * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
            await trio.sleep(longest * self._chance.uniform(0.5, 1))

    def close(self) -> None:
        """Let everybody go who waits."""
        self._end(None)

    async def _serve(self, connected: Callable[[trio.Nursery], AbstractContextManager[None]]) -> bool:
        """Connect, and serve until the connection is lost; return whether there was one.

        Raises:
            UnreachableError: the service cannot be found, or reached.
            UnauthorizedError, ForbiddenError: it does not let this client in, now and ever.
        """
        address = await self._locate()
        try:
            await Link(address, self.calls, self._notify).run(connected)
        except (UnauthorizedError, ForbiddenError):
            if await self._locate() == address:  # noqa: ASYNC120 -- cancelled, it may be that
                raise
            return False  # it was started again between the two, and has another token
        return True

    def _resume(self, connection: trio.Nursery) -> None:
        """Follow again what was followed; what is to begin only now is among the calls."""
        for subscription in self._subscriptions.values():
            if subscription.begun:
                connection.start_soon(self._follow, subscription)

    async def _follow(self, subscription: WebSocketSubscription) -> None:
        try:
            await self._ask_patiently(
                "topics.subscribe",
                lambda: subscription.params if self._is_followed(subscription) else None,
                subscription.begin,
            )
        except ClosedError:
            pass  # of a service that is ending: it goes on over the next connection
        except ObservatoryError as error:
            subscription.end(error)
            self._forget(subscription)

    def _leave(self, subscription: WebSocketSubscription) -> None:
        """Follow something no more; nobody waits until the service knows."""
        topic = subscription.topic
        if not self._is_followed(subscription):
            return
        del self._subscriptions[topic]
        if self._connection is not None and topic not in self._leaving:
            self._connection.start_soon(self._unsubscribe, topic)
            self._leaving[topic] = trio.Event()

    async def _unsubscribe(self, topic: str) -> None:
        try:
            with suppress(ObservatoryError):  # it is gone with the connection
                await self._ask_patiently("topics.unsubscribe", lambda: {"topic": topic})
        finally:
            self._leaving.pop(topic).set()

    async def _ask_patiently(
        self, method: str, params: Callable[[], Mapping[str, Any] | None], then: Then | None = None
    ) -> None:
        """Ask, again where that was too often for the service; not any more once there are no parameters."""
        while (given := params()) is not None:
            try:
                await self.calls.ask(method, given, then=then)
                return
            except RateLimitError as error:
                await trio.sleep(error.retry_after)

    def _enter(self, topic: str, since: int | None, epoch: str | None) -> WebSocketSubscription:
        if not isinstance(topic, str):
            raise InvalidInputError("topic", f"{topic!r:.80} is not allowed; use a string that is not empty")
        if topic in self._subscriptions:
            raise InvalidInputError("topic", f"{topic!r:.80} is followed by this client already; open another one")
        subscription = WebSocketSubscription(topic, since, epoch, self._leave)
        self._subscriptions[topic] = subscription
        return subscription

    def _forget(self, subscription: WebSocketSubscription) -> None:
        """Follow something no more of which the service knows nothing; the client may have ended meanwhile."""
        if self._is_followed(subscription):
            del self._subscriptions[subscription.topic]

    def _is_followed(self, subscription: WebSocketSubscription) -> bool:
        return self._subscriptions.get(subscription.topic) is subscription

    def _notify(self, params: Mapping[str, Any], size: int) -> None:
        """Hand an event on; one that comes before the answer to a subscription is of an earlier one."""
        subscription = self._subscriptions.get(params["subscription"])
        if subscription is not None and subscription.begun:
            subscription.take(event_of(params), size)

    def _end(self, error: ObservatoryError | None) -> None:
        self.calls.refuse(error or ClosedError("this client is closed"))
        for subscription in self._subscriptions.values():
            subscription.end(error)
        self._subscriptions.clear()
