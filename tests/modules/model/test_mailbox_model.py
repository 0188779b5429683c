"""The Mailbox beside a simple model of it: thousands of random steps, some of them failing, under a mock clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from trio.testing import wait_all_tasks_blocked

from observatory import (
    MESSAGE_OVERHEAD,
    MailboxFullError,
    Message,
    ObservatoryError,
    OutcomeUnknownError,
    Receipt,
    StorageError,
    UnknownMessageError,
)

if TYPE_CHECKING:
    from tests.modules.model.conftest import Item, Model, Swarm

T = TypeVar("T")

AGENTS = st.sampled_from("abcd")
SMALL = st.sampled_from(range(0, 900, 100))
LARGEST = 2_600 - MESSAGE_OVERHEAD  # what fills a mailbox, by the model's limits
SIZES = SMALL | st.sampled_from([LARGEST, LARGEST + 1])
MOODS = st.sampled_from(["good"] * 5 + ["refuses", "breaks before", "breaks after"])
PICKS = st.integers(0, 5)


class Machine(RuleBasedStateMachine):
    """Each rule does the same to the Mailbox and to the model, and compares what both answer."""

    steps = 0

    def __init__(self, swarm: Swarm, model: Model) -> None:
        super().__init__()
        self.swarm = swarm
        self.swarm.known = {agent: set() for agent in "abcd"}
        self.model = model
        Machine.steps -= 1  # invariants are checked before the first step, too
        self._markers = iter(map(str, range(1_000_000)))

    def teardown(self) -> None:
        """End the thread."""
        self.swarm.reopen(end=True)

    def call(self, mood: str, function: Callable[..., Awaitable[T]], *arguments: Any) -> tuple[T | None, bool]:
        """Call the Mailbox in some mood of its storage; return the answer, and whether it has happened."""
        storage = self.swarm.storage
        storage.mood, storage.commits = mood, 0
        try:
            answer = self.swarm.do(function, *arguments)
        except StorageError:
            assert (mood, storage.commits) == ("refuses", 1)
            return None, False
        except OutcomeUnknownError:
            assert mood.startswith("breaks")
            storage.mood = "good"
            self.swarm.do(self.swarm.pass_time, 7)  # the Mailbox starts again
            return None, mood == "breaks after"
        finally:
            storage.mood = "good"
        assert mood == "good" or not storage.commits
        return answer, True

    def fill_in(self, agent: str, items: Collection[Item]) -> None:
        """Learn the ids and times of messages that were sent."""
        found = {message.type: message for message in self.swarm.obs.mailbox.get_messages(agent)}
        for item in items:
            item.id, item.timestamp = found[item.marker].id, found[item.marker].timestamp
            self.swarm.known[agent].add(item.id)

    @rule(agent=AGENTS, size=SIZES, mood=MOODS)
    def send(self, agent: str, size: int, mood: str) -> None:
        """Send one message."""
        marker = next(self._markers)
        boxes = dict(self.model.boxes)
        last = self.model._last.copy()
        item = self.model.send(agent, marker, size)
        if item is None:
            with pytest.raises(MailboxFullError):
                self.call(mood, self.send_one, agent, size, marker)
            return
        receipt, happened = self.call(mood, self.send_one, agent, size, marker)
        if happened:
            self.fill_in(agent, [item])
        else:
            self.model.boxes, self.model._last = boxes, last
        if receipt is not None:
            assert (receipt.sequence, receipt.message.id) == (item.sequence, item.id)
            assert receipt.deliveries["folder"].state == "written"

    async def send_one(self, agent: str, size: int, marker: str) -> Receipt:
        """Send a message of that size."""
        return await self.swarm.obs.mailbox.send_message(agent, "x", "x" * size, type=marker)

    @rule(agent=AGENTS, size=SMALL, count=st.integers(2, 6))
    def send_together(self, agent: str, size: int, count: int) -> None:
        """Send equal messages at the same time: which one is refused is left to chance, how many are is not."""
        markers = [next(self._markers) for _ in range(count)]
        outcomes = self.swarm.do(self.send_many, agent, size, markers)
        sent = sorted((each for each in outcomes if isinstance(each, Receipt)), key=lambda each: each.sequence)
        for receipt in sent:
            item = self.model.send(agent, receipt.message.type, size)
            assert item is not None
            assert item.sequence == receipt.sequence
            item.id, item.timestamp = receipt.message.id, receipt.message.timestamp
            self.swarm.known[agent].add(item.id)
        if len(sent) < count:
            assert self.model.send(agent, "refused", size) is None

    async def send_many(self, agent: str, size: int, markers: list[str]) -> list[Receipt | MailboxFullError]:
        """Send messages at the same time."""
        outcomes: list[Receipt | MailboxFullError] = []

        async def send(marker: str) -> None:
            try:
                outcomes.append(await self.send_one(agent, size, marker))
            except MailboxFullError as error:
                outcomes.append(error)

        async with trio.open_nursery() as nursery:
            for marker in markers:
                nursery.start_soon(send, marker)
        return outcomes

    @rule(agents=st.permutations("abcd"), count=st.integers(1, 4), size=SIZES, mood=MOODS)
    def broadcast(self, agents: list[str], count: int, size: int, mood: str) -> None:
        """Send a copy to several."""
        names, marker = agents[:count], next(self._markers)
        boxes = dict(self.model.boxes)
        last = self.model._last.copy()
        items = [self.model.send(name, marker, size) for name in names]
        outcomes, happened = self.call(mood, self.send_copies, names, size, marker)
        if not happened:
            self.model.boxes, self.model._last = boxes, last
            return
        for name, item in zip(names, items, strict=True):
            if item is not None:
                self.fill_in(name, [item])
        if outcomes is not None:
            numbers = [outcome.sequence if isinstance(outcome, Receipt) else None for outcome in outcomes]
            assert numbers == [item and item.sequence for item in items]

    async def send_copies(self, names: list[str], size: int, marker: str) -> list[Receipt | ObservatoryError]:
        """Send a copy to each."""
        return await self.swarm.obs.mailbox.broadcast_to_many(names, "x", "x" * size, type=marker)

    @rule(agent=AGENTS, picks=st.lists(PICKS, max_size=3), mood=MOODS)
    def mark_read(self, agent: str, picks: list[int], mood: str) -> None:
        """Acknowledge some messages, or one that is not there."""
        box = self.model.boxes.get(agent, [])
        ids = [box[pick].id if pick < len(box) else "0" * 16 for pick in picks]
        if "0" * 16 in ids:
            with pytest.raises(UnknownMessageError):
                self.call(mood, self.swarm.obs.mailbox.mark_read, agent, *ids)
            return
        answer, happened = self.call(mood, self.swarm.obs.mailbox.mark_read, agent, *ids)
        if happened:
            self.model.boxes[agent] = [attrs.evolve(item, read=item.read or item.id in ids) for item in box]
            if not box:
                del self.model.boxes[agent]
        if answer is not None:
            assert [(message.id, message.read) for message in answer] == [(id, True) for id in ids]

    @rule(agent=AGENTS, mood=MOODS)
    def clear(self, agent: str, mood: str) -> None:
        """Remove a whole mailbox."""
        count, happened = self.call(mood, self.swarm.obs.mailbox.clear_messages, agent)
        if count is not None:
            assert count == len(self.model.boxes.get(agent, ()))
        if happened:
            self.model.boxes.pop(agent, None)

    @rule(agent=AGENTS, pick=PICKS)
    def receive(self, agent: str, pick: int) -> None:
        """Take the oldest unread message; of all, or after one."""
        box = self.model.boxes.get(agent, [])
        after = box[pick] if pick < len(box) else None
        newer = [item for item in self.model.unread(agent) if after is None or item.sequence > after.sequence]
        message = self.swarm.do(self.try_to_receive, agent, after.id if after else None)
        assert (message and message.id) == (newer[0].id if newer else None)

    async def try_to_receive(self, agent: str, after: str | None) -> Message | None:
        """Receive what is there, and do not wait for what is not."""
        message: Message | None = None

        async def receive() -> None:
            nonlocal message
            message = await self.swarm.obs.mailbox.receive(agent, after=after)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return message

    @rule(agent=AGENTS, pick=PICKS, limit=st.integers(0, 5), unread_only=st.booleans())
    def read_a_page(self, agent: str, pick: int, limit: int, unread_only: bool) -> None:
        """Read a page of a mailbox."""
        box = self.model.boxes.get(agent, [])
        before = box[pick] if pick < len(box) else None
        page = [item.id for item in reversed(box) if before is None or item.sequence < before.sequence]
        if unread_only:
            unread = {item.id for item in self.model.unread(agent)}
            page = [id for id in page if id in unread]
        found = self.swarm.obs.mailbox.get_messages(
            agent, limit=limit, before=before.id if before else None, unread_only=unread_only
        )
        assert [message.id for message in found] == page[:limit]

    # Multiples of seven, so that no message is ever just a day old.
    @rule(seconds=st.sampled_from([63, 3_605, 43_204, 86_401]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass: a cleanup runs."""
        self.swarm.do(self.swarm.pass_time, seconds)
        self.model.clean_up(self.swarm.do(self.now))

    async def now(self) -> datetime:
        """Tell the time."""
        return self.swarm.clock.now()

    @rule()
    def reopen(self) -> None:
        """Close the Observatory, and open one that knows only what storage and folder have kept."""
        self.swarm.do(self.swarm.hear)
        self.swarm.reopen()

    @invariant()
    def agree(self) -> None:
        """Table, figures, storage, delivery channel and subscriber hold what the model holds."""
        Machine.steps += 1
        self.swarm.do(self.compare)

    async def compare(self) -> None:
        """Compare everything with the model."""
        await wait_all_tasks_blocked()
        await self.swarm.hear()
        mailbox, boxes = self.swarm.obs.mailbox, self.model.boxes
        expected = {agent: [(item.id, item.read) for item in box] for agent, box in boxes.items()}
        found = {agent: reversed(mailbox.get_messages(agent)) for agent in mailbox.get_stats()}
        table = {agent: [(message.id, message.read) for message in box] for agent, box in found.items()}
        assert table == expected
        batches: list[Any] = []
        await self.swarm.storage.replay(batches.append)
        stored = {batch[0].message.to: [(each.message.id, each.message.read) for each in batch] for batch in batches}
        assert stored == expected
        for agent in "abcd":
            unread = [item.id for item in self.model.unread(agent)]
            stats = mailbox.agent_stats(agent)
            assert (stats.total, stats.unread) == (len(boxes.get(agent, ())), len(unread))
            assert mailbox.unread_count(agent) == len(unread)
            assert (stats.oldest_unread_age_sec is None) == (not unread)
            assert set(self.swarm.folder.ids(agent)) == set(unread)
        totals = mailbox.statistics()
        assert totals.bytes == self.model.bytes_of(boxes)
        assert (totals.mailboxes, totals.messages) == (len(boxes), sum(map(len, boxes.values())))
        assert totals.left_behind == 0
        assert self.swarm.told == {item.id for agent in boxes for item in self.model.unread(agent)}
        assert self.swarm.obs.health().healthy


@pytest.mark.slow
def test_the_mailbox_is_its_model(run_machine: Callable[..., None]) -> None:
    """At least 5,000 steps, each compared with the model."""
    Machine.steps = 0
    run_machine(Machine, times=100, steps=60)
    assert Machine.steps >= 5_000
