"""The suite for clients passes the one in the box, and finds those that break a law."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from observatory import (
    ClientSubscription,
    DeadLetter,
    EmbeddedClient,
    Event,
    Observatory,
    ObservatoryError,
    Receipt,
    Settings,
    UnknownNameError,
)
from observatory.testing import ClientConformance
from observatory.testing.clients import OpenClient


def opener(kind: Callable[[Observatory], EmbeddedClient]) -> OpenClient:
    """Return what opens clients of a kind."""

    @asynccontextmanager
    async def opened(observatory: Observatory) -> AsyncIterator[EmbeddedClient]:
        yield kind(observatory)

    return opened


class TestEmbedded(ClientConformance):
    """A client in the same process."""

    @pytest.fixture
    def open_client(self) -> OpenClient:
        """Return what makes one."""
        return opener(EmbeddedClient)


class Reading(ClientSubscription):
    """A subscription that hands everything on."""

    def __init__(self, inner: ClientSubscription) -> None:
        self.topic = inner.topic
        self.inner = inner

    async def __anext__(self) -> Event:
        """Return the next event."""
        return await anext(self.inner)

    async def aclose(self) -> None:
        """Unsubscribe."""
        await self.inner.aclose()


class Skipping(Reading):
    """Leaves out the first event."""

    skipped = False

    async def __anext__(self) -> Event:
        """Return the next event."""
        if not self.skipped:
            self.skipped = True
            await anext(self.inner)
        return await anext(self.inner)


class Losing(Reading):
    """Loses what it has taken when it is cancelled."""

    async def __anext__(self) -> Event:
        """Return the next event."""
        event = await anext(self.inner)
        await trio.lowlevel.checkpoint()
        return event


class Staying(Reading):
    """Is not closed."""

    async def aclose(self) -> None:
        """Do nothing."""
        await trio.lowlevel.checkpoint()


class Subscribes(EmbeddedClient):
    """Hands out another kind of subscriptions."""

    kind: type[Reading]

    async def subscribe(self, topic: str, *, since: int | None = None, epoch: str | None = None) -> ClientSubscription:
        """Subscribe."""
        return self.kind(await super().subscribe(topic, since=since, epoch=epoch))


class Skips(Subscribes):
    """Loses the first event of every subscription."""

    kind = Skipping


class Loses(Subscribes):
    """Loses events by cancelling."""

    kind = Losing


class Stays(Subscribes):
    """Does not unsubscribe."""

    kind = Staying


class Forgets(EmbeddedClient):
    """Does not look at where to begin."""

    async def subscribe(self, topic: str, *, since: int | None = None, epoch: str | None = None) -> ClientSubscription:
        """Subscribe."""
        return await super().subscribe(topic, since=None if since is None else 0)


class Lists(EmbeddedClient):
    """Gives a list for a tuple."""

    async def dead_letters(self) -> Any:
        """Return dead letters."""
        letters: list[DeadLetter] = list(await super().dead_letters())
        return letters


class Wraps(EmbeddedClient):
    """Raises another error."""

    def __init__(self, observatory: Observatory) -> None:
        super().__init__(observatory)
        mailbox, inner = self.mailbox, self.mailbox.send_message

        async def send_message(*args: Any, **options: Any) -> Receipt:
            try:
                return await inner(*args, **options)
            except ObservatoryError as error:
                raise ObservatoryError(str(error)) from None

        mailbox.send_message = send_message  # type: ignore[method-assign]


class Keeps(EmbeddedClient):
    """Gives what a module returns, and not what JSON makes of it."""

    async def call_module(self, module: str, method: str, /, **params: Any) -> Any:
        """Call a method of a module."""
        given = await super().call_module(module, method, **params)
        return tuple(given) if isinstance(given, list) else given


class Invents(EmbeddedClient):
    """Answers for services that there are not."""

    async def call_service(self, service: str, method: str, /, **params: Any) -> Any:
        """Call a method of a service."""
        try:
            return await super().call_service(service, method, **params)
        except UnknownNameError:
            return None


class Overtakes(EmbeddedClient):
    """Sends every second message later."""

    def __init__(self, observatory: Observatory) -> None:
        super().__init__(observatory)
        mailbox, inner, turns = self.mailbox, self.mailbox.send_message, iter(range(1_000))

        async def send_message(*args: Any, **options: Any) -> Receipt:
            if next(turns) % 2:
                await trio.sleep(0.001)
            return await inner(*args, **options)

        mailbox.send_message = send_message  # type: ignore[method-assign]


class LeavesFile(EmbeddedClient):
    """Leaves a file open."""

    def __init__(self, observatory: Observatory) -> None:
        super().__init__(observatory)
        opened.append(os.open(os.devnull, os.O_RDONLY))


opened: list[int] = []


@pytest.fixture(autouse=True)
def _close() -> object:
    yield
    while opened:
        os.close(opened.pop())


@pytest.fixture
def settings(bare_settings: Callable[..., Settings]) -> Settings:
    """Return settings for memory only."""
    return bare_settings()


@pytest.mark.parametrize(
    ("law", "kind", "finding"),
    [
        ("test_values", Lists, "it is a list, not a tuple"),
        ("test_values", Keeps, "it is a tuple, not a list"),
        ("test_errors", Invents, "DID NOT RAISE"),
        ("test_errors", Wraps, "a recipient is a ObservatoryError, not a InvalidInputError"),
        ("test_order", Overtakes, "assert"),
        ("test_subscription", Skips, "it hangs"),
        ("test_resume", Forgets, "it[0].sequence differs"),
        ("test_unsubscribe", Stays, "DID NOT RAISE"),
        ("test_reading", Loses, "it hangs"),
        ("test_cancelled", Stays, "a subscription is left"),
        ("test_gives_back", LeavesFile, "something is left of it"),
    ],
)
async def test_broken(
    law: str,
    kind: Callable[[Observatory], EmbeddedClient],
    finding: str,
    settings: Settings,
    broken: Callable[..., Awaitable[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A law that is broken is found, by the test of that law."""
    monkeypatch.setattr("observatory.testing.laws.PATIENCE", 1.0)
    assert finding in await broken(getattr(ClientConformance(), law), opener(kind), settings)
