"""`AgentNotes`, in a running Observatory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio
import trio.testing
from observatory_example import AgentNotes
from observatory_example.notes import MAX_AGENTS, MAX_NOTES, TOPIC

from observatory import ClosedError, Context, InvalidInputError, Observatory, PubSub, TrioClock
from observatory.testing import cancel_at_every_checkpoint

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]


async def test_annotate(open_example: Open) -> None:
    """Notes are read newest first, per agent."""
    async with open_example() as obs:
        notes = obs.module(AgentNotes)
        first = await notes.annotate("a", "knows the wire format")
        second = await notes.annotate("a", "is slow today")
        assert notes.notes_for("a") == (second, first)
        assert notes.notes_for("b") == ()
        assert first.timestamp < second.timestamp


async def test_publish(open_example: Open) -> None:
    """Every new note is published."""
    async with open_example() as obs, obs.pubsub.subscribe(TOPIC) as subscription:
        note = await obs.module(AgentNotes).annotate("a", "knows the wire format")
        assert (await anext(subscription)).payload == note


async def test_notes_are_bounded(open_example: Open) -> None:
    """Of one agent the latest notes are kept."""
    async with open_example() as obs:
        notes = obs.module(AgentNotes)
        for number in range(MAX_NOTES + 1):
            await notes.annotate("a", str(number))
        assert [note.text for note in notes.notes_for("a")] == [str(number) for number in range(MAX_NOTES, 0, -1)]


async def test_agents_are_bounded(open_example: Open) -> None:
    """With too many agents, the one that was annotated first goes."""
    async with open_example() as obs:
        notes = obs.module(AgentNotes)
        for number in range(MAX_AGENTS + 1):
            await notes.annotate(f"agent-{number}", "here")
        assert notes.notes_for("agent-0") == ()
        assert notes.notes_for("agent-1")
        assert notes.notes_for(f"agent-{MAX_AGENTS}")


@pytest.mark.parametrize(
    ("agent", "text", "field"), [("", "x", "agent"), (7, "x", "agent"), ("a", "", "text"), ("a", "x" * 1001, "text")]
)
async def test_bad_input(open_example: Open, agent: Any, text: str, field: str) -> None:
    """What is not allowed is refused with the name of the argument, and nothing is written."""
    async with open_example() as obs:
        with pytest.raises(InvalidInputError) as refusal:
            await obs.module(AgentNotes).annotate(agent, text)
        assert refusal.value.field == field
        assert obs.module(AgentNotes).notes_for("a") == ()


async def test_cancelled(open_example: Open) -> None:
    """Cancelled anywhere, a note is written once or not at all."""
    async with open_example() as obs:
        notes = obs.module(AgentNotes)
        texts: list[str] = []

        async def annotate() -> None:
            texts.append(f"attempt {len(texts)}")
            await notes.annotate("a", texts[-1])

        assert await cancel_at_every_checkpoint(annotate)
        written = [note.text for note in notes.notes_for("a")]
        assert written[0] == texts[-1]
        assert len(written) == len(set(written))


async def test_closed(open_example: Open) -> None:
    """Notes can still be read, and a new one is refused instead of waiting for ever."""
    async with open_example() as obs:
        notes = obs.module(AgentNotes)
        note = await notes.annotate("a", "knows the wire format")
    assert notes.notes_for("a") == (note,)
    with trio.fail_after(5), pytest.raises(ClosedError):
        await notes.annotate("a", "is gone")


async def test_given_up() -> None:
    """A note whose caller gives up before its turn has come is not written."""
    notes = alone()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notes.annotate, "a", "text")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        await nursery.start(notes.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert notes.notes_for("a") == ()


async def test_waiting_when_it_ends() -> None:
    """Whoever still waits when the module ends is told, and nothing is written."""
    notes = alone()

    async def annotate(agent: str) -> None:
        with pytest.raises(ClosedError, match="nothing was written"):
            await notes.annotate(agent, "text")

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for agent in "ab":
                nursery.start_soon(annotate, agent)
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                scope.cancel()
                await notes.run()
    assert notes.notes_for("a") == notes.notes_for("b") == ()


def alone() -> AgentNotes:
    """Return a module without an Observatory, whose task does not run yet."""
    return AgentNotes(Context(Path(), TrioClock(), PubSub(), None, {}, {}))
