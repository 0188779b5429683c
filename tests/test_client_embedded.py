"""The client of an Observatory in the same process; what it gives is in its conformance suite."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.testing import assert_checkpoints

from observatory import (
    Client,
    ClosedError,
    EmbeddedClient,
    Mailbox,
    MailboxClient,
    Notes,
    NotesClient,
    Observatory,
    Settings,
    open_observatory,
)

MakeSettings = Callable[..., Settings]
LIBRARY: dict[type, type] = {MailboxClient: Mailbox, NotesClient: Notes, Client: Observatory}
OF_CLIENTS = {"subscribe", "call_module", "call_service"}
METHODS = [
    pytest.param(client, name, id=f"{client.__name__}.{name}")
    for client in LIBRARY
    for name in sorted(client.__abstractmethods__ - OF_CLIENTS)  # type: ignore[attr-defined]
]
KNOWN_TO_DOORS = {"verified"}


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Return the parameters of a method: name, kind and default."""
    signature = inspect.signature(function)
    return [
        (one.name, one.kind, one.default) for one in signature.parameters.values() if one.name not in KNOWN_TO_DOORS
    ]


@pytest.mark.parametrize(("client", "name"), METHODS)
def test_signature(client: type, name: str) -> None:
    """A method takes and returns what the library's does, except what only a door can know."""
    mine, theirs = getattr(client, name), getattr(LIBRARY[client], name)
    assert parameters(mine) == parameters(theirs)
    assert inspect.signature(mine).return_annotation == inspect.signature(theirs).return_annotation
    assert inspect.iscoroutinefunction(mine)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.mailbox.send_message("a", "b", "hello"),
        lambda client: client.notes.add_note("a", "hello"),
        lambda client: client.redeliver(),
        lambda client: client.subscribe("a"),
    ],
)
async def test_closed(call: Callable[[Client], Awaitable[object]], bare_settings: MakeSettings) -> None:
    """Once Observatory is closed, the client says so."""
    async with open_observatory(bare_settings()) as observatory:
        client = EmbeddedClient(observatory)
    with pytest.raises(ClosedError):
        await call(client)


async def test_subscription_ends(bare_settings: MakeSettings) -> None:
    """When Observatory is closed, a reader gets what is there, and then the end."""
    async with open_observatory(bare_settings()) as observatory:
        subscription = await EmbeddedClient(observatory).subscribe("x")
        observatory.pubsub.publish("x", "last")
    assert [event.payload async for event in subscription] == ["last"]
    await subscription.aclose()


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.health(),
        lambda client: client.statistics(),
        lambda client: client.plugins(),
        lambda client: client.deliveries("0" * 16),
        lambda client: client.dead_letters(),
        lambda client: client.subscribe("a"),
        lambda client: client.call_module("ProtocolTracker", "get_statistics"),
        lambda client: client.mailbox.get_messages("a"),
        lambda client: client.mailbox.unread_count("a"),
        lambda client: client.mailbox.agent_stats("a"),
        lambda client: client.mailbox.get_stats(),
        lambda client: client.notes.get_note("a"),
        lambda client: client.notes.list_notes(),
    ],
)
async def test_waits(call: Callable[[Client], Awaitable[object]], bare_settings: MakeSettings) -> None:
    """What is a plain read in the library is a checkpoint here: a client over a socket waits, too."""
    async with open_observatory(bare_settings()) as observatory:
        with assert_checkpoints():
            await call(EmbeddedClient(observatory))
