"""What stands in the present context of agents."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from observatory import ForbiddenError, Identity, InvalidInputError, Observatory

Open = Callable[..., AbstractAsyncContextManager[Observatory]]

ANN = Identity("ann")


async def send(obs: Observatory, count: int = 1, to: str = "ann") -> list[str]:
    """Send messages; return their ids."""
    return [(await obs.mailbox.send_message(to, "bob", "hello")).message.id for _ in range(count)]


async def test_the_latest_at_the_end(open_here: Open) -> None:
    """Messages stand there in the order in which they were put there, each once, by whomever was the first."""
    async with open_here() as obs:
        first, second, third = await send(obs, 3)
        for id, by in ((second, "hook"), (first, "mcp"), (third, "hook"), (second, "mcp")):
            obs.traces.note_surfaced([id], by)
        assert obs.traces.get_surfaced("ann").ids == (second, first, third)
        assert obs.traces.get_surfaced("ann", not_by="mcp").ids == (second, third)
        assert obs.traces.get_surfaced("ann", after=second).ids == (first, third)
        assert obs.traces.get_surfaced("ann", not_by="mcp", after=first).ids == (third,)
        assert obs.traces.get_surfaced("ann", after=third).ids == ()
        assert obs.traces.get_surfaced("ann", after="0" * 16).ids == (second, first, third)
        assert obs.traces.get_surfaced("ann", not_by="hook", after=third).latest == third
        assert obs.traces.get_surfaced("bob").ids == ()
        assert obs.traces.get_surfaced("bob").latest is None


async def test_a_context_that_begins(open_here: Open) -> None:
    """Nothing stands in it, and it is said since when; other agents' are left alone."""
    async with open_here() as obs:
        for agent in ("ann", "bob"):
            obs.traces.note_surfaced(await send(obs, to=agent), "hook")
        assert obs.traces.get_surfaced("ann").since is None
        before = obs.clock.now()
        obs.traces.begin_context("ann")
        begun = obs.traces.get_surfaced("ann")
        assert begun.since is not None
        assert (before <= begun.since <= obs.clock.now(), begun.ids) == (True, ())
        assert len(obs.traces.get_surfaced("bob").ids) == 1
        [id] = await send(obs)
        obs.traces.note_surfaced([id], "hook")
        assert (obs.traces.get_surfaced("ann").since, obs.traces.get_surfaced("ann").ids) == (begun.since, (id,))


@pytest.mark.parametrize("settings", [{"max_traces": 0}, {"max_traces": 1}])
async def test_without_traces(open_here: Open, settings: Any) -> None:
    """It is known of messages of which there are no traces, where it is known whose they are."""
    async with open_here(traces=settings) as obs:
        ids = await send(obs, 2)
        await send(obs, to="bob")
        obs.traces.note_surfaced(ids, "hook", identity=ANN)
        assert set(obs.traces.get_surfaced("ann").ids) == set(ids)
        obs.traces.note_surfaced(await send(obs, 2), "hook")
        assert len(obs.traces.get_surfaced("ann").ids) == 2 + settings["max_traces"]


async def test_whose(open_here: Open) -> None:
    """An agent says and sees it of its own context only."""
    async with open_here() as obs:
        [mine], [other] = await send(obs), await send(obs, to="bob")
        obs.traces.note_surfaced([mine, other, "0" * 16], "mcp", identity=ANN)
        assert obs.traces.get_surfaced("ann", identity=ANN).ids == (mine,)
        assert obs.traces.get_surfaced("bob").ids == ()
        with pytest.raises(ForbiddenError):
            obs.traces.get_surfaced("bob", identity=ANN)


async def test_bounds(open_here: Open) -> None:
    """Of an agent's messages no more are remembered than it has unread, twice, and a hundred."""
    async with open_here() as obs:
        for _ in range(4):
            ids = await send(obs, 60)
            obs.traces.note_surfaced(ids, "hook")
            await obs.mailbox.mark_read("ann", *ids[1:])
        assert len(obs.traces.get_surfaced("ann").ids) < 120
        assert ids[0] in obs.traces.get_surfaced("ann").ids


async def test_many_agents(open_here: Open) -> None:
    """Ten thousand agents are remembered: those of whom was heard last."""
    async with open_here() as obs:
        for name in ("ann", "bob", "ann", *map(str, range(9_999))):
            obs.traces.begin_context(name)
        assert obs.traces.get_surfaced("ann").since is not None
        assert obs.traces.get_surfaced("bob").since is None


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda obs: obs.traces.get_surfaced("a b"), "'a b' is no name"),
        (lambda obs: obs.traces.get_surfaced("a", not_by="a b"), "'a b' is no name"),
        (lambda obs: obs.traces.get_surfaced("a", after=5), "expected the id of a message, got int"),
        (lambda obs: obs.traces.begin_context(""), "no name"),
        (lambda obs: obs.mailbox.is_unread("a b", "0"), "'a b' is no name"),
        (lambda obs: obs.mailbox.is_unread("a", None), "expected the id of a message"),
    ],
)
async def test_what_is_not_allowed(open_here: Open, call: Callable[[Observatory], object], problem: str) -> None:
    """It is refused, with what is allowed."""
    async with open_here() as obs:
        with pytest.raises(InvalidInputError, match=problem):
            call(obs)
