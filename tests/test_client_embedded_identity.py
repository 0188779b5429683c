"""The client of an Observatory in the same process, in somebody's name: it can do what a door would let them do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from observatory import Client, EmbeddedClient, ForbiddenError, Identity, Observatory, Settings, open_observatory

MakeSettings = Callable[..., Settings]


@pytest.fixture
async def observatory(bare_settings: MakeSettings) -> AsyncIterator[Observatory]:
    """Open an Observatory."""
    async with open_observatory(bare_settings()) as observatory:
        yield observatory


@pytest.fixture
def ann(observatory: Observatory) -> Client:
    """Return a client that is Ann's."""
    return EmbeddedClient(observatory, Identity("ann"))


async def test_verified(observatory: Observatory, ann: Client) -> None:
    """What is sent in somebody's name is verified; what the program itself sends is not."""
    assert (await ann.mailbox.send_message("bob", "ann", "hello")).verified
    for receipt in await ann.mailbox.broadcast_to_many(["bob", "eve"], "ann", "all"):
        assert receipt.verified  # type: ignore[union-attr]
    question = (await observatory.mailbox.send_message("ann", "bob", "well?")).message
    assert (await ann.mailbox.reply(question, "yes")).verified
    assert not (await EmbeddedClient(observatory).mailbox.send_message("bob", "ann", "hello")).verified


async def test_own_mail(observatory: Observatory, ann: Client) -> None:
    """She receives and acknowledges her own mail, and clears her mailbox."""
    await observatory.mailbox.send_message("ann", "bob", "hello")
    message = await ann.mailbox.receive("ann")
    [read] = await ann.mailbox.mark_read("ann", message.id)
    assert read.read
    assert await ann.mailbox.clear_messages("ann") == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.mailbox.send_message("ann", "bob", "hello"),
        lambda client: client.mailbox.broadcast_to_many(["ann"], "bob", "hello"),
        lambda client: client.mailbox.request("ann", "bob", "hello"),
        lambda client: client.mailbox.receive("bob"),
        lambda client: client.mailbox.mark_read("bob", "0" * 16),
        lambda client: client.mailbox.clear_messages("bob"),
        lambda client: client.swarm.add_project("/"),
        lambda client: client.swarm.set_active_project("/"),
        lambda client: client.swarm.collect_garbage(),
        lambda client: client.swarm.claim_task("1", "bob", project="/"),
        lambda client: client.swarm.complete_task("1", "bob", project="/"),
        lambda client: client.swarm.stop_task("1", "failed", "bob", project="/"),
        lambda client: client.swarm.heal_task("1", project="/"),
        lambda client: client.swarm.reassign_task("1", "bob", project="/"),
        lambda client: client.swarm.reset_all_stale(project="/"),
        lambda client: client.traces.get_traces("bob"),
        lambda client: client.traces.get_surfaced("bob"),
        lambda client: client.presence.acquire_lease("bob", "a file"),
        lambda client: client.call_module("Presence", "acquire_lease", agent="bob", resource="a file"),
        lambda client: client.redeliver(),
    ],
)
async def test_refused(ann: Client, call: Callable[[Client], Awaitable[object]]) -> None:
    """She cannot act as Bob, and not as the program."""
    with pytest.raises(ForbiddenError):
        await call(ann)


async def test_other_people(observatory: Observatory, ann: Client) -> None:
    """She cannot answer for Bob, see the way of his mail, or hold and give back what is his."""
    message = (await observatory.mailbox.send_message("bob", "eve", "hello")).message
    with pytest.raises(ForbiddenError):
        await ann.mailbox.reply(message, "in his name")
    assert await ann.traces.get_trace(message.id) is None
    mine = (await observatory.mailbox.send_message("ann", "eve", "hello")).message
    await ann.traces.note_surfaced([message.id, mine.id], "mcp")
    surfaced = [[hop.name for hop in trace.hops].count("surfaced") for trace in observatory.traces.get_traces()]
    assert surfaced == [1, 0]
    with pytest.raises(ForbiddenError):
        ann.presence.lease("bob", "a file")
    lease = observatory.presence.acquire_lease("bob", "a file")
    for call in (ann.presence.renew_lease, ann.presence.release_lease):
        with pytest.raises(ForbiddenError):
            await call(lease.id)


async def test_no_message(ann: Client) -> None:
    """What is no message cannot be answered, whoever tries."""
    nothing: Any = "hello"
    with pytest.raises(Exception, match="message"):
        await ann.mailbox.reply(nothing, "yes")


async def test_as_the_program(observatory: Observatory) -> None:
    """In the name of the program's owner one can do what the program can."""
    owner = EmbeddedClient(observatory, Identity(None))
    assert not (await owner.mailbox.send_message("bob", "ann", "hello")).verified
    assert await owner.redeliver() == 0
