"""Hook events come out in the order in which they have come in, however long one of them takes to be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from observatory_http.server.events import Events
from observatory_http.settings import HttpSettings
from starlette.requests import Request
from trio.testing import wait_all_tasks_blocked

from observatory import Clock, Context, Identity, InvalidInputError, PubSub
from observatory.testing import cancel_at_every_checkpoint


def _event(number: int, **more: Any) -> Request:
    body = json.dumps({"session_id": "s", "hook_event_name": "Stop", "number": number, **more}).encode()
    return _request(body)


def _request(body: bytes) -> Request:
    async def receive() -> Any:
        await trio.lowlevel.checkpoint()
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/api/events", "query_string": b"", "headers": []}
    return Request(scope | {"state": {"identity": Identity(None)}}, receive)


@pytest.fixture
def pubsub() -> PubSub:
    """Return where they come out."""
    return PubSub()


@pytest.fixture
def events(tmp_path: Path, pubsub: PubSub) -> Events:
    """Return what takes them, and has much to do with each."""
    settings = HttpSettings(redact=["a+b"])
    return Events(Context(tmp_path, Clock(), pubsub, settings, {}, {}), settings)


async def test_large_and_small(events: Events, pubsub: PubSub) -> None:
    """A small one that comes while a large one is read does not overtake it."""
    async with pubsub.subscribe("session:s") as session, trio.open_nursery() as nursery:
        nursery.start_soon(events.take, _event(0, x=["ab" * 20] * 30_000))
        await wait_all_tasks_blocked()
        for number in (1, 2):
            nursery.start_soon(events.take, _event(number))
            await wait_all_tasks_blocked()
        got = [(await anext(session)).payload.data["number"] for _ in range(3)]
    assert got == [0, 1, 2]


async def test_one_that_is_given_up(events: Events, pubsub: PubSub) -> None:
    """Those that wait behind one whose request is cancelled, or is none, come out all the same."""
    async with pubsub.subscribe("session:s") as session, trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as given_up:
                given_up.start_soon(events.take, _event(0, x=["ab" * 20] * 30_000))
                await wait_all_tasks_blocked()
                nursery.start_soon(events.take, _event(1))
                scope.cancel()
        with pytest.raises(InvalidInputError):
            await events.take(_request(b"x" * 100_000))
        numbers = [one.payload.data["number"] for one in await session.receive_batch()]
    assert numbers[-1] == 1


async def test_many_at_once(events: Events, pubsub: PubSub) -> None:
    """Large and small ones that come at once are all there, in their order."""
    async with pubsub.subscribe("session:s") as session, trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(events.take, _event(number, x=["ab"] * (30_000 if number % 5 == 0 else 0)))
            await wait_all_tasks_blocked()
        got = [(await anext(session)).payload.data["number"] for _ in range(30)]
    assert got == list(range(30))


@pytest.mark.parametrize("size", [0, 20_000])
async def test_cancelled_anywhere(events: Events, pubsub: PubSub, size: int) -> None:
    """An event whose request is cancelled is on both topics or on none, and nobody waits for it."""
    number = 0

    async def take() -> None:
        nonlocal number
        number += 1
        await events.take(_event(number, x=["ab"] * size))

    async def check() -> None:
        with trio.fail_after(5):
            await events.take(_event(0))
        assert pubsub.newest("session:s") == pubsub.newest("events:stream") == events.statistics()["accepted"]

    assert await cancel_at_every_checkpoint(take, check) >= 1
    assert events.statistics()["refused"] == 0
