"""What is lost when the process of the service is killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client

from observatory import Event, Gap, Message, OutcomeUnknownError, read_service

Until = Callable[[Callable[[], object]], Awaitable[None]]

KILLS = 4
TOPICS = ("agent:a", "agent:*")

pytestmark = [pytest.mark.usefixtures("impatient"), pytest.mark.slow]


@asynccontextmanager
async def service(root: Path, until: Until) -> AsyncIterator[None]:
    """Run the service in a process of its own, and kill it."""
    command = [sys.executable, "-m", "observatory", "serve", "--root", str(root)]
    environment = {**os.environ, "OBSERVATORY_DISABLED_PLUGINS": '["inbox"]'}
    process = await trio.lowlevel.open_process(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await until(lambda: (info := read_service(root)) and "websocket" in info.doors)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()


async def send(client: WebSocketClient, known: list[Message], enough: int) -> None:
    """Send until so many messages are known to be there."""
    target = len(known) + enough
    while len(known) < target:
        try:
            receipt = await client.mailbox.send_message("a", "b", str(len(known)))
            known.append(receipt.message)
        except OutcomeUnknownError:
            pass


async def follow(client: WebSocketClient, topic: str, got: list[Event], begun: trio.Event) -> None:
    """Read for ever."""
    async with await client.subscribe(topic) as subscription:
        begun.set()
        async for event in subscription:
            got.append(event)


def check(got: list[Event], known: list[Message], topic: str) -> None:
    """See that each message came once and in order, or that a gap stands where it is missing."""
    by_position = topic.endswith(":*")
    places = {message.id: place for place, message in enumerate(known)}
    last = -1
    told = missing = False
    number, epoch = 0, got[0].epoch
    for event in got:
        if isinstance(event.payload, Gap):
            told = missing = True
            number, epoch = event.sequence, event.epoch
            continue
        following = event.position if by_position else event.sequence
        assert event.epoch == epoch, "another run, and no gap"
        assert following > number, "an event came twice, or out of order"
        assert told or by_position or following == number + 1, "a hole, and no gap"
        number, told = following, False
        place = places.get(event.payload.id)
        if place is None:  # the other sender's, or of one that did not get its receipt: it tells nothing of a hole
            continue
        assert place > last, "a message came twice, or out of order"
        assert missing or place == last + 1, "a hole, and no gap"
        last, missing = place, False
    assert last == len(known) - 1


async def test_killed(root: Path, until: Until, capsys: pytest.CaptureFixture[str]) -> None:
    """Over kills of the service each event comes once and in order, or a gap says that some are missing."""
    known: list[Message] = []
    got: dict[str, list[Event]] = {topic: [] for topic in TOPICS}
    async with trio.open_nursery() as nursery:
        async with service(root, until):
            pass
        async with service(root, until):
            client = await nursery.start(hold, root)
            for topic in TOPICS:
                begun = trio.Event()
                nursery.start_soon(follow, client, topic, got[topic], begun)
                await begun.wait()
            await send(client, known, 20)
        for _ in range(KILLS):
            async with service(root, until), trio.open_nursery() as sending:
                sending.start_soon(send, client, known, 40)
                sending.start_soon(send, client, [], 20)
        async with service(root, until):
            await send(client, known, 1)
            await until(lambda: all(events and events[-1].payload == known[-1] for events in got.values()))
        nursery.cancel_scope.cancel()
    for topic in TOPICS:
        check(got[topic], known, topic)
    gaps = sum(isinstance(event.payload, Gap) for events in got.values() for event in events)
    assert gaps >= KILLS
    with capsys.disabled():
        print(f" [{KILLS + 1} kills, {len(known)} messages, {gaps} gaps]", end="")


async def hold(  # noqa: ASYNC114 -- started in a nursery, by `start`
    root: Path, *, task_status: trio.TaskStatus[WebSocketClient] = trio.TASK_STATUS_IGNORED
) -> None:
    """Hold a client open."""
    async with open_client(root=root) as client:
        task_status.started(client)
        await trio.sleep_forever()
