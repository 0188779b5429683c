"""A connection that comes back by itself, with what was missed meanwhile."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import attrs
import trio
from trio_websocket import ConnectionRejected, HandshakeError, open_websocket_url

from observatory import (
    ClosedError,
    ForbiddenError,
    InvalidInputError,
    ObservatoryError,
    OutcomeUnknownError,
    UnauthorizedError,
    UnreachableError,
)
from observatory_websocket.client.link import Link, LostError
from observatory_websocket.client.subscriptions import WebSocketSubscription
from observatory_websocket.client.values import event_of

_log = logging.getLogger("observatory.websocket")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_PATIENCE = 10.0
"""Seconds that connecting may take."""
_GOODBYE = 1.0
"""Seconds that saying goodbye may take."""
_MAX_MESSAGE = 64 * 1024 * 1024
_READ = 64 * 1024


@attrs.frozen
class Address:
    """Where the service is."""

    url: str
    """Such as `ws://127.0.0.1:41234/`."""
    token: str = attrs.field(repr=False)
    """What it is told."""


Locate: TypeAlias = Callable[[], Awaitable[Address]]
"""Finds the service, for each connection anew, since it may have been started again. Raises `UnreachableError`."""


class Session:
    """Calls, and subscriptions, over one connection after another.

    Args:
        locate: finds the service.
    """

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._link: Link | None = None
        self._was_connected = False
        self._changed = trio.Event()
        self._refusal: ObservatoryError | None = None
        self._subscriptions: dict[str, WebSocketSubscription] = {}
        self._chance = random.Random()

    async def call(self, method: str, params: Mapping[str, Any], *, again: bool = False) -> Any:
        """Ask for something; while there is no connection, wait for one.

        Args:
            method: what is asked for.
            params: by name.
            again: whether it may be asked twice, so that a lost connection costs only time.

        Raises:
            OutcomeUnknownError: the connection was lost with the request in hand.
            ClosedError: the client is closed; and what the service answers, or refuses a connection for.
        """
        while True:
            link = await self._connected()
            try:
                return await link.call(method, params)
            except LostError as error:
                if error.sent and not again:
                    raise OutcomeUnknownError(
                        "the connection to the service was lost before its answer came; with an idempotency key the "
                        "same can be sent again"
                    ) from None

    async def subscribe(self, topic: str, since: int | None, epoch: str | None) -> WebSocketSubscription:
        """Follow a topic or a pattern, also after the connection was lost.

        Raises:
            InvalidInputError: this client follows it already, or it is not allowed; and what `call` raises.
        """
        if topic in self._subscriptions:
            await trio.lowlevel.checkpoint()
            raise InvalidInputError("topic", f"{topic!r:.80} is followed by this client already; open another one")
        subscription = WebSocketSubscription(topic, since, epoch, self._unsubscribe)
        while True:
            link = await self._connected()
            self._subscriptions[topic] = subscription  # what comes before the answer is taken counts, too
            try:
                await self._follow(link, subscription)
                return subscription
            except LostError:
                pass
            except BaseException:
                del self._subscriptions[topic]
                raise
            del self._subscriptions[topic]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep connected until cancelled.

        Raises:
            ObservatoryError: there is no first connection.
        """
        failures = 0
        while True:
            try:
                await self._connect(task_status)
                failures = 0
            except (UnauthorizedError, ForbiddenError) as error:
                if not self._was_connected:
                    raise
                self._refuse(error)
                return
            except UnreachableError as error:
                if not self._was_connected:
                    raise
                _log.info("%s; trying again", error)
            failures += 1
            longest = min(_FIRST_PAUSE * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
            await trio.sleep(longest * self._chance.uniform(0.5, 1))

    def close(self) -> None:
        """Let everybody go who waits."""
        self._refuse(ClosedError("this client is closed"))

    async def _connect(self, task_status: trio.TaskStatus[None]) -> None:
        """Connect, and serve until the connection is lost."""
        address = await self._locate()
        headers = [(b"Authorization", b"Bearer " + address.token.encode("ascii", "replace"))]
        try:
            async with open_websocket_url(
                address.url,
                extra_headers=headers,
                max_message_size=_MAX_MESSAGE,
                receive_buffer_size=_READ,
                message_queue_size=16,
                connect_timeout=_PATIENCE,
                disconnect_timeout=_GOODBYE,
            ) as socket:
                link = Link(socket, self._notify)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._take_up, link, task_status)
                    await link.run()
                    nursery.cancel_scope.cancel()
        except ConnectionRejected as error:
            raise _refusal_of(address.url, error) from error
        except (HandshakeError, OSError) as error:
            raise UnreachableError(address.url, _reason_of(error)) from error
        finally:
            self._link = None

    async def _take_up(self, link: Link, task_status: trio.TaskStatus[None]) -> None:
        """Follow again what was followed, then let the others ask."""
        try:
            for subscription in tuple(self._subscriptions.values()):
                await self._follow(link, subscription)
        except LostError:
            return
        self._link = link
        self._tell()
        if not self._was_connected:
            self._was_connected = True
            task_status.started()

    async def _follow(self, link: Link, subscription: WebSocketSubscription) -> None:
        params: dict[str, Any] = {"topic": subscription.topic}
        if subscription.since is not None:
            params |= {"since": subscription.since, "epoch": subscription.epoch}
        answer = await link.call("topics.subscribe", params)
        subscription.begin(answer["epoch"], answer["newest"])

    async def _unsubscribe(self, topic: str) -> None:
        del self._subscriptions[topic]
        link = self._link
        if link is None:
            await trio.lowlevel.checkpoint()
            return
        with suppress(LostError, ObservatoryError):  # it is gone with the connection
            await link.call("topics.unsubscribe", {"topic": topic})

    def _notify(self, params: Mapping[str, Any]) -> None:
        subscription = self._subscriptions.get(params["subscription"])
        if subscription is not None:
            subscription.take(event_of(params))

    async def _connected(self) -> Link:
        await trio.lowlevel.checkpoint_if_cancelled()
        while self._link is None:
            if self._refusal is not None:
                await trio.lowlevel.checkpoint()
                raise self._refusal
            await self._changed.wait()
        return self._link

    def _refuse(self, error: ObservatoryError) -> None:
        self._link = None
        self._refusal = error
        for subscription in self._subscriptions.values():
            subscription.end()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _refusal_of(url: str, error: ConnectionRejected) -> ObservatoryError:
    reason = (error.body or b"").decode(errors="replace").strip() or f"HTTP status {error.status_code}"
    if error.status_code == 401:
        return UnauthorizedError()
    if error.status_code == 403:
        return ForbiddenError(reason)
    return UnreachableError(url, reason)


def _reason_of(error: BaseException) -> str:
    cause = error.__cause__
    text = str(cause or error)
    return text or type(cause or error).__name__
