"""What a client asks again of a service that was started again, and what only the run before can know of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client
from observatory_websocket.client.calls import Again, Calls
from trio.testing import wait_all_tasks_blocked

from observatory import (
    ClosedError,
    MemoryStorage,
    Message,
    Observatory,
    ObservatoryError,
    OutcomeUnknownError,
    Receipt,
    Settings,
    StorageBackend,
    StorageSettings,
    UnauthorizedError,
    open_observatory,
)
from observatory.testing import DurableStorage, observatory_plugin

MakeSettings = Callable[..., Settings]
OpenProxied = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Any, WebSocketClient]]]
Until = Callable[[Callable[[], object]], Awaitable[None]]

pytestmark = pytest.mark.usefixtures("impatient")


@asynccontextmanager
async def run_of(settings: Settings, storage: StorageBackend) -> AsyncIterator[Observatory]:
    """Run the service with a storage backend."""
    plugin = observatory_plugin("storing", storage={"kept": lambda _: storage})
    async with open_observatory(settings, plugins=[plugin]) as observatory:
        yield observatory


async def hold(  # noqa: ASYNC114 -- started in a nursery, by `start`
    settings: Settings, *, task_status: trio.TaskStatus[WebSocketClient] = trio.TASK_STATUS_IGNORED
) -> None:
    """Hold a client open."""
    async with open_client(root=settings.root) as client:
        task_status.started(client)
        await trio.sleep_forever()


async def outcomes_over_restart(settings: Settings, storages: list[StorageBackend], until: Until) -> dict[str, Any]:
    """Send with a key, and acknowledge, where the answers are lost with the service; return what comes of both."""
    outcomes: dict[str, Any] = {}

    async def note(name: str, ask: Callable[[], Awaitable[Any]]) -> None:
        try:
            outcomes[name] = await ask()
        except ObservatoryError as error:
            outcomes[name] = error

    async with trio.open_nursery() as nursery:
        async with run_of(settings, storages[0]) as observatory:
            client = await nursery.start(hold, settings)
            first = await client.mailbox.send_message("a", "b", "first")
            client._calls.take = lambda _: None
            nursery.start_soon(note, "send", lambda: client.mailbox.send_message("a", "b", "x", idempotency_key="key"))
            nursery.start_soon(note, "acknowledge", lambda: client.mailbox.mark_read("a", first.message.id))
            await until(
                lambda: (
                    [(one.content, one.read) for one in observatory.mailbox.get_messages("a")]
                    == [("x", False), ("first", True)]
                )
            )
        del client._calls.take
        async with run_of(settings, storages[1]) as observatory:
            await until(lambda: len(outcomes) == 2)
            outcomes["there"] = [message.content for message in observatory.mailbox.get_messages("a")]
        nursery.cancel_scope.cancel()
    return outcomes


async def test_lasting(settings: MakeSettings, until: Until) -> None:
    """A service whose storage lasts is asked again after it was started again, and gives the answers of then."""
    storage = DurableStorage()
    outcomes = await outcomes_over_restart(settings(storage=StorageSettings(backend="kept")), [storage, storage], until)
    assert isinstance(outcomes["send"], Receipt)
    assert outcomes["send"].duplicate
    [read] = outcomes["acknowledge"]
    assert isinstance(read, Message)
    assert outcomes["there"] == ["x", "first"]


@pytest.mark.parametrize(
    "kinds", [(MemoryStorage, MemoryStorage), (MemoryStorage, DurableStorage), (DurableStorage, MemoryStorage)]
)
async def test_not_lasting(settings: MakeSettings, until: Until, kinds: tuple[type[StorageBackend], ...]) -> None:
    """Where one of both runs has storage that does not last, neither is asked again, since nobody knows the answer."""
    outcomes = await outcomes_over_restart(
        settings(storage=StorageSettings(backend="kept")), [kind() for kind in kinds], until
    )
    for name in ("send", "acknowledge"):
        assert isinstance(outcomes[name], OutcomeUnknownError)
        assert "its storage does not last" in str(outcomes[name])
    assert outcomes["there"] == []


async def test_not_sent_yet(settings: MakeSettings) -> None:
    """What no service can have goes to the one that was started again."""
    async with trio.open_nursery() as nursery:
        async with open_observatory(settings()):
            client = await nursery.start(hold, settings())
        async with trio.open_nursery() as sending:
            sending.start_soon(lambda: client.mailbox.send_message("a", "b", "patient", idempotency_key="key"))
            await wait_all_tasks_blocked(0.01)
            async with open_observatory(settings()) as observatory:
                while not observatory.mailbox.get_messages("a"):  # noqa: ASYNC110 -- behind a socket
                    await trio.sleep(0.001)
        nursery.cancel_scope.cancel()


async def test_same_run() -> None:
    """The run that has it in hand is asked again, over as many connections as it takes."""
    calls = Calls()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: calls.ask("mailbox.send", {}, again=Again.REMEMBERED))
        await wait_all_tasks_blocked()
        for _ in range(3):
            calls.connect(b"one", lasting=False)
            await calls.next()
            calls.lose(too_big=False)
        calls.connect(b"one", lasting=False)
        await calls.next()
        calls.take({"id": 1, "result": None})


@pytest.mark.parametrize(
    ("sent", "again", "expected"),
    [
        (False, Again.REMEMBERED, UnauthorizedError),
        (True, Again.REMEMBERED, OutcomeUnknownError),
        (True, Again.YES, UnauthorizedError),
    ],
)
async def test_refused(sent: bool, again: Again, expected: type[ObservatoryError]) -> None:
    """When a service does not let the client in any more, what it may have, and may have done, is in doubt."""
    calls = Calls()

    async def ask() -> None:
        with pytest.raises(expected, match="token is missing, wrong, or of an earlier run"):
            await calls.ask("x", {}, again=again)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        if sent:
            await calls.next()
            calls.lose(too_big=False)
        calls.refuse(UnauthorizedError())
    with pytest.raises(UnauthorizedError):
        await calls.ask("x", {}, again=again)


async def test_closed_in_hand(open_proxied: OpenProxied, until: Until) -> None:
    """So it is when the client is closed."""
    errors: list[ObservatoryError] = []

    async def ask(client: WebSocketClient) -> None:
        try:
            await client.mailbox.request("oracle", "asker", "what?")
        except ObservatoryError as error:
            errors.append(error)

    async with trio.open_nursery() as nursery, open_proxied() as (observatory, _, client):
        nursery.start_soon(ask, client)  # noqa: ASYNC111 -- that is what is tested
        await until(lambda: observatory.mailbox.get_messages("oracle"))
    [error] = errors
    assert isinstance(error, OutcomeUnknownError)
    assert str(ClosedError("this client is closed")) in str(error)
