"""Notes: one text a key, so many and no more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    ClosedError,
    Context,
    InvalidInputError,
    Module,
    Note,
    NoteDeleted,
    Notes,
    NotesSettings,
    Observatory,
    PubSub,
    TrioClock,
)
from observatory.testing import ModuleConformance, cancel_at_every_checkpoint

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


def texts(obs: Observatory) -> dict[str, str]:
    """Return every note's text by key, newest first."""
    return {note.key: note.text for note in obs.notes.list_notes()}


async def test_add_and_get(open_here: Open) -> None:
    """A note is found under its key, with the time it was written."""
    async with open_here() as obs:
        before = obs.clock.now()
        note = await obs.notes.add_note("event-1", "text")
        assert (note.key, note.text) == ("event-1", "text")
        assert before < note.timestamp < obs.clock.now()
        assert note.timestamp.tzinfo is UTC
        assert obs.notes.get_note("event-1") == note
        assert obs.notes.get_note("event-2") is None


async def test_newest_first(open_here: Open) -> None:
    """A note that is written over an earlier one counts as new."""
    async with open_here() as obs:
        for key, text in (("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")):
            await obs.notes.add_note(key, text)
        assert list(texts(obs).items()) == [("a", "4"), ("c", "3"), ("b", "2")]


async def test_delete(open_here: Open) -> None:
    """It says whether there was one."""
    async with open_here() as obs:
        await obs.notes.add_note("a", "1")
        assert await obs.notes.delete_note("a") is True
        assert await obs.notes.delete_note("a") is False
        assert texts(obs) == {}


async def test_told(open_here: Open) -> None:
    """Topic `notes:update` tells what is written, deleted, or had to go."""
    async with open_here(notes={"max_notes": 2}) as obs, obs.pubsub.subscribe("notes:update") as subscription:
        first = await obs.notes.add_note("a", "1")
        again = await obs.notes.add_note("a", "2")
        second = await obs.notes.add_note("b", "3")
        third = await obs.notes.add_note("c", "4")
        await obs.notes.delete_note("b")
        await obs.notes.delete_note("nothing")
        payloads = [event.payload for event in await subscription.receive_batch()]
        assert payloads == [first, again, second, third, NoteDeleted("a"), NoteDeleted("b")]


async def test_the_oldest_goes(open_here: Open) -> None:
    """Beyond the bound, in the order of writing; writing over a note makes no room necessary."""
    async with open_here(notes={"max_notes": 3}) as obs:
        for key in "abcbd":
            await obs.notes.add_note(key, "")
        assert list(texts(obs)) == ["d", "b", "c"]


async def test_a_thousand(open_here: Open) -> None:
    """By default there are at most 1,000."""
    async with open_here() as obs:
        for number in range(1_001):
            await obs.notes.add_note(f"event-{number}", "")
        assert len(obs.notes.list_notes()) == 1_000
        assert obs.notes.get_note("event-0") is None


@pytest.mark.parametrize("key", ["", "a\n", "\ud800", "k" * 257, None, 5, []])
async def test_keys_that_are_not_allowed(open_here: Open, key: Any) -> None:
    """A key is 1 to 256 printable characters."""
    async with open_here() as obs:
        for change in (obs.notes.add_note(key, "text"), obs.notes.delete_note(key)):
            with pytest.raises(InvalidInputError, match=r"^key: .* is no key: 1 to 256 printable characters"):
                await change


@pytest.mark.parametrize(("key", "got"), [([], "a list"), (None, "null"), ("k" * 257, f"'{'k' * 80}'")])
async def test_keys_that_cannot_be_looked_up(open_here: Open, key: Any, got: str) -> None:
    """Nobody can have written a note under such a key."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError) as caught:
            obs.notes.get_note(key)
        assert str(caught.value) == f"key: {got} is no key: 1 to 256 printable characters are allowed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "expected text, got NoneType"),
        ("x" * 65_537, "has 65,537 bytes or more; at most 65,536 are allowed"),
        ("ü" * 32_769, "has 65,538 bytes or more"),
        ("\ud800", "has a lone surrogate at character 0"),
    ],
    ids=["None", "long", "long in UTF-8", "surrogate"],
)
async def test_texts_that_are_not_allowed(open_here: Open, text: Any, reason: str) -> None:
    """A text is at most 64 KiB in UTF-8, and a refusal leaves the earlier note as it was."""
    async with open_here() as obs:
        await obs.notes.add_note("a", "1")
        with pytest.raises(InvalidInputError, match=f"^text: {reason}"):
            await obs.notes.add_note("a", text)
        assert texts(obs) == {"a": "1"}


async def test_limits_can_be_reached(open_here: Open) -> None:
    """The longest key and text are taken."""
    async with open_here() as obs:
        await obs.notes.add_note("k" * 256, "ü" * 32_768)
        assert texts(obs) == {"k" * 256: "ü" * 32_768}


async def test_many_at_once(open_here: Open) -> None:
    """More writers than may wait are held back, and all of them succeed."""
    async with open_here() as obs, trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(obs.notes.add_note, f"event-{number}", "")
        await wait_all_tasks_blocked()
        assert len(obs.notes.list_notes()) == 300


@pytest.mark.parametrize("delete", [False, True])
async def test_cancelled_anywhere(open_here: Open, delete: bool) -> None:
    """Cancelling a change at any point has made it or not; what was told is what is there, and the next one works."""
    async with open_here() as obs, obs.pubsub.subscribe("notes:update") as subscription:
        told: dict[str, str] = {}

        async def change() -> None:
            if delete:
                await obs.notes.delete_note("a")
            else:
                await obs.notes.add_note("a", "new")

        async def check() -> None:
            await wait_all_tasks_blocked()
            assert texts(obs) in ({"a": "old"}, {} if delete else {"a": "new"})
            found = texts(obs)
            await obs.notes.add_note("a", "old")
            for event in (await subscription.receive_batch())[:-1]:
                told.clear() if isinstance(event.payload, NoteDeleted) else told.update(a=event.payload.text)
            assert told == found
            told["a"] = "old"

        await check_first(obs, subscription, told)
        assert await cancel_at_every_checkpoint(change, check) >= 3


async def check_first(obs: Observatory, subscription: Any, told: dict[str, str]) -> None:
    """Write the note that is there to begin with."""
    await obs.notes.add_note("a", "old")
    await subscription.receive_batch()
    told["a"] = "old"


async def test_after_closing(open_here: Open) -> None:
    """Notes can be read, and a change is refused instead of waiting for ever."""
    async with open_here() as obs:
        await obs.notes.add_note("a", "1")
    assert texts(obs) == {"a": "1"}
    with pytest.raises(ClosedError):
        await obs.notes.add_note("a", "2")
    with pytest.raises(ClosedError):
        await obs.notes.delete_note("a")


async def test_waiting_when_it_ends() -> None:
    """Whoever still waits when the task is cancelled is told, and nothing has happened."""
    notes = make_notes()
    async with trio.open_nursery() as nursery:
        for key in "ab":
            nursery.start_soon(expect_refusal, notes, key)
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await notes.run()
    assert notes.list_notes() == []


async def expect_refusal(notes: Notes, key: str) -> None:
    """Write a note that must be refused because the task ends."""
    with pytest.raises(ClosedError, match="nothing has happened"):
        await notes.add_note(key, "text")


def make_notes() -> Notes:
    """Return notes that nobody runs yet."""
    context = Context(Path(), TrioClock(), PubSub(), None, {}, {})
    return Notes(context, settings=NotesSettings())


async def test_cancelled_while_it_waits_for_its_turn() -> None:
    """A change whose writer was cancelled before its turn is left out."""
    notes = make_notes()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notes.add_note, "a", "cancelled")
            await wait_all_tasks_blocked()
            scope.cancel()
    async with trio.open_nursery() as nursery:
        await nursery.start(notes.run)
        note = await notes.add_note("b", "text")
        assert notes.list_notes() == [note]
        nursery.cancel_scope.cancel()


class TestConformance(ModuleConformance):
    """Notes keep the laws of a module."""

    @pytest.fixture
    def module_factory(self) -> Callable[[Context], Module]:
        """Return what makes notes."""
        return lambda context: Notes(context, settings=NotesSettings())

    async def use(self, module: Module) -> None:
        """Write a note."""
        assert isinstance(module, Notes)
        await module.add_note("event-1", "text")

    def contents(self, module: Module) -> object:
        """Return every note."""
        assert isinstance(module, Notes)
        return [(note.key, note.text) for note in module.list_notes() if isinstance(note, Note)]
