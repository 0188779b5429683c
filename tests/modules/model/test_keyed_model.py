"""Idempotency keys and expiry beside a simple model of them, as storage fails, time passes and Observatory restarts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from trio.testing import wait_all_tasks_blocked

from observatory import (
    IdempotencyError,
    MailboxFullError,
    OutcomeUnknownError,
    Receipt,
    Retracting,
    StorageError,
    StoredKey,
    StoredMessage,
)

if TYPE_CHECKING:
    from tests.modules.model.conftest import Item, Model, Swarm

T = TypeVar("T")

AGENTS = st.sampled_from("ab")
KEYS = st.sampled_from([None, "k", "l"])
CONTENTS = st.sampled_from(["", "other"])
# Nothing is ever due at the very moment at which a step ends: time passes by other numbers of seconds.
EXPIRIES = st.sampled_from([None, None, 100.5, 5_000.5])
MOODS = st.sampled_from(["good"] * 4 + ["refuses", "breaks before", "breaks after"])
DAY = timedelta(days=1)


@attrs.frozen
class Known:
    """What was sent under a key."""

    asked: tuple[str, str]
    """Recipient and content."""
    id: str
    sequence: int
    timestamp: datetime
    expires_at: datetime | None


class KeyedMachine(RuleBasedStateMachine):
    """Each rule does the same to the Mailbox and to the model, and compares what both answer."""

    steps = 0

    def __init__(self, swarm: Swarm, model: Model) -> None:
        super().__init__()
        self.swarm = swarm
        self.swarm.known = {agent: set() for agent in "abcd"}
        self.model = model
        self.keys: dict[str, Known] = {}
        self.letters: dict[str, tuple[str, Item]] = {}  # by id: recipient and message
        KeyedMachine.steps -= 1  # invariants are checked before the first step, too

    def teardown(self) -> None:
        """End the thread."""
        self.swarm.reopen(end=True)

    def call(self, mood: str, function: Callable[[], Awaitable[T]]) -> tuple[T | None, bool]:
        """Call the Mailbox in some mood of its storage; return the answer, and whether it has happened."""
        storage = self.swarm.storage
        storage.mood = mood
        try:
            return self.swarm.do(function), True
        except StorageError:
            return None, False
        except OutcomeUnknownError:
            storage.mood = "good"
            self.swarm.do(self.swarm.pass_time, 7)  # the Mailbox starts again
            return None, mood == "breaks after"
        finally:
            storage.mood = "good"

    @rule(agent=AGENTS, key=KEYS, content=CONTENTS, expires_in=EXPIRIES, mood=MOODS)
    def send(self, agent: str, key: str | None, content: str, expires_in: float | None, mood: str) -> None:
        """Send, perhaps what was sent already, perhaps something else under the same key."""

        async def send() -> Receipt:
            mailbox = self.swarm.obs.mailbox
            return await mailbox.send_message(agent, "x", content, idempotency_key=key, expires_in=expires_in)

        known = self.keys.get(key or "")
        if known is not None and known.timestamp > self.swarm.do(self.now) - DAY:
            self.send_again(send, known, (agent, content))
            return
        boxes, last = dict(self.model.boxes), self.model._last.copy()
        item = self.model.send(agent, "text", len(content))
        if item is None:
            with pytest.raises(MailboxFullError):
                self.call("good", send)
            return
        receipt, happened = self.call(mood, send)
        if not happened:
            self.model.boxes, self.model._last = boxes, last
            return
        self.learn(agent, item, expires_in)
        if key is not None:
            assert item.timestamp is not None
            self.keys[key] = Known((agent, content), item.id, item.sequence, item.timestamp, item.expires_at)
        if receipt is not None:
            assert (receipt.message.id, receipt.sequence, receipt.duplicate) == (item.id, item.sequence, False)
            assert receipt.expires_at == item.expires_at

    def send_again(self, send: Callable[[], Awaitable[Receipt]], known: Known, asked: tuple[str, str]) -> None:
        """Ask again: the same gets the first receipt, even if its message is gone; anything else an error."""
        if asked != known.asked:
            with pytest.raises(IdempotencyError):
                self.call("good", send)
            return
        receipt, _ = self.call("good", send)
        assert receipt is not None
        assert (receipt.message.id, receipt.sequence, receipt.duplicate) == (known.id, known.sequence, True)
        assert (receipt.message.timestamp, receipt.expires_at) == (known.timestamp, known.expires_at)

    def learn(self, agent: str, item: Item, expires_in: float | None) -> None:
        """Learn the id and time of the newest message."""
        (message,) = self.swarm.obs.mailbox.get_messages(agent, limit=1)
        item.id, item.timestamp = message.id, message.timestamp
        item.expires_at = None if expires_in is None else message.timestamp + timedelta(seconds=expires_in)
        self.swarm.known[agent].add(item.id)

    @rule(agent=AGENTS, count=st.integers(1, 3), mood=MOODS)
    def mark_read(self, agent: str, count: int, mood: str) -> None:
        """Acknowledge the oldest unread messages: they expire no more."""
        ids = [item.id for item in self.model.unread(agent)[:count]]
        _, happened = self.call(mood, lambda: self.swarm.obs.mailbox.mark_read(agent, *ids))
        if happened and ids:
            box = self.model.boxes[agent]
            self.model.boxes[agent] = [attrs.evolve(item, read=item.read or item.id in ids) for item in box]

    @rule(agent=AGENTS, mood=MOODS)
    def clear(self, agent: str, mood: str) -> None:
        """Remove a whole mailbox; its keys stay."""
        _, happened = self.call(mood, lambda: self.swarm.obs.mailbox.clear_messages(agent))
        if happened:
            self.model.boxes.pop(agent, None)

    @rule(pick=st.integers(0, 3), mood=MOODS)
    def redeliver(self, pick: int, mood: str) -> None:
        """Send one of the messages again that have expired, as a new one that does not."""
        if pick >= len(self.letters):
            return
        id = list(self.letters)[pick]
        agent, old = self.letters[id]
        boxes, last = dict(self.model.boxes), self.model._last.copy()
        item = self.model.send(agent, "text", len(old.marker))
        if item is None:
            assert self.call("good", lambda: self.swarm.obs.redeliver([id]))[0] == 0
            return
        count, happened = self.call(mood, lambda: self.swarm.obs.redeliver([id]))
        if not happened:
            self.model.boxes, self.model._last = boxes, last
            return
        assert count in (1, None)
        self.learn(agent, item, None)
        del self.letters[id]

    @rule(seconds=st.sampled_from([63, 3_605, 43_204, 86_401]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass: messages expire, keys are forgotten, a cleanup runs."""
        self.swarm.do(self.swarm.pass_time, seconds)

    @rule()
    def reopen(self) -> None:
        """Close the Observatory, and open one that knows only what storage and folder have kept."""
        self.swarm.do(self.swarm.hear)
        self.swarm.reopen()

    async def now(self) -> datetime:
        """Tell the time."""
        return self.swarm.clock.now()

    def catch_up(self, now: datetime) -> None:
        """Do to the model what time does: expire first, then clean up."""
        for agent, box in list(self.model.boxes.items()):
            due = [item for item in box if not item.read and item.expires_at and item.expires_at <= now]
            self.letters.update((item.id, (agent, item)) for item in due)
            self.model.boxes[agent] = [item for item in box if item not in due]
            if not self.model.boxes[agent]:
                del self.model.boxes[agent]

    @invariant()
    def agree(self) -> None:
        """Table, storage, delivery channel, dead letters and subscriber hold what the model holds."""
        KeyedMachine.steps += 1
        self.swarm.do(self.compare)

    async def compare(self) -> None:
        """Compare everything with the model."""
        await wait_all_tasks_blocked()
        self.catch_up(self.swarm.clock.now())
        await self.swarm.hear()
        obs, boxes = self.swarm.obs, self.model.boxes
        unread = {item.id for agent in boxes for item in self.model.unread(agent)}
        for agent in "ab":
            found = [message.id for message in obs.mailbox.get_messages(agent, unread_only=True)]
            assert found == [item.id for item in reversed(self.model.unread(agent))]
            self.compare_folder(agent, set(found))
        assert self.swarm.told == unread
        assert {letter.message.id for letter in obs.dead_letters()} == self.letters.keys()
        await self.compare_storage(unread)
        assert obs.health().healthy

    def compare_folder(self, agent: str, unread: set[str]) -> None:
        """Compare what the delivery channel holds."""
        assert set(self.swarm.folder.ids(agent)) == unread

    async def compare_storage(self, unread: set[str]) -> None:
        """Compare what the next process will know."""
        stored: list[Any] = []
        await self.swarm.storage.replay(stored.extend)
        kept = {each.message.id for each in stored if isinstance(each, StoredMessage) and not each.message.read}
        assert kept == unread
        now = self.swarm.clock.now()
        young = {each.key.key: each.id for each in stored if isinstance(each, StoredKey) and each.timestamp > now - DAY}
        assert young == {key: known.id for key, known in self.keys.items() if known.timestamp > now - DAY}


@pytest.mark.slow
def test_keys_and_expiry_are_their_model(run_machine: Callable[..., None]) -> None:
    """At least 2,000 steps, each compared with the model."""
    KeyedMachine.steps = 0
    run_machine(KeyedMachine, times=60, steps=50)
    assert KeyedMachine.steps >= 2_000


class StubbornMachine(KeyedMachine):
    """The same, with a delivery channel that takes nothing back for some time, and storage that lasts."""

    def __init__(self, swarm: Swarm, model: Model, lasting: type[Any]) -> None:
        super().__init__(swarm, model)
        swarm.storage = lasting()
        swarm.reopen()

    @rule()
    def become_stubborn(self) -> None:
        """From now on nothing is taken back."""
        self.swarm.folder.stubborn = True

    @rule()
    def relent(self) -> None:
        """Everything that is owed is taken back within the longest pause, and storage forgets it."""
        self.swarm.folder.stubborn = False
        self.swarm.do(self.swarm.pass_time, 63)
        self.swarm.do(self.swarm.pass_time, 2)
        self.swarm.do(self.nothing_is_being_taken_back)

    async def nothing_is_being_taken_back(self) -> None:
        """Storage knows of nothing that has still to be taken back."""
        stored: list[Any] = []
        await self.swarm.storage.replay(stored.extend)
        assert not [each for each in stored if isinstance(each, Retracting)]

    def compare_folder(self, agent: str, unread: set[str]) -> None:
        """Compare what the delivery channel holds: perhaps more than it should."""
        held = set(self.swarm.folder.ids(agent))
        assert held >= unread if self.swarm.folder.stubborn else held == unread


@pytest.mark.slow
def test_what_is_not_taken_back_stays_away(run_machine: Callable[..., None], lasting_storage: type[Any]) -> None:
    """At least 2,000 steps: what left the mailbox does not come back, however late its file goes."""
    KeyedMachine.steps = 0
    run_machine(partial(StubbornMachine, lasting=lasting_storage), times=60, steps=50)
    assert KeyedMachine.steps >= 2_000
