"""The laws of `DeliveryChannel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set as AbstractSet
from typing import ClassVar, TypeAlias

import pytest
import trio

from observatory import (
    ChannelFactory,
    Context,
    DeliveryChannel,
    Done,
    Dropped,
    Failed,
    Job,
    Message,
    Outcome,
    Post,
    Retraction,
)
from observatory.testing.cancelling import cancel_at_every_checkpoint
from observatory.testing.laws import Conformance, law
from observatory.testing.running import opened
from observatory.testing.samples import posts

Fresh: TypeAlias = Callable[[], DeliveryChannel]
Arrived: TypeAlias = Sequence[str] | AbstractSet[str]


class DeliveryChannelConformance(Conformance):
    """The laws of a delivery channel. A subclass gives the fixture `channel_factory` and implements `delivered`.

    When a delivery can fail, it also implements `break_recipient` and `mend_recipient`; else it sets `can_fail` to
    False. What the outcomes call `sent` is gone, and the laws about what is there say so instead.
    """

    can_fail: ClassVar[bool] = True
    """Whether a delivery can fail at all; then `break_recipient` and `mend_recipient` are needed."""

    @pytest.fixture
    def channel_factory(self) -> ChannelFactory:
        """Return what the plugin registers; delivery channels made of the same context share their medium."""
        raise NotImplementedError("give your suite a fixture `channel_factory` that returns what you register")

    @pytest.fixture
    def fresh(self, channel_factory: ChannelFactory, context: Context) -> Fresh:
        """Return what makes one more delivery channel on the same root."""
        return lambda: channel_factory(context)

    async def delivered(self, channel: DeliveryChannel, to: str) -> Arrived:
        """Read back from the medium the ids of a recipient's messages.

        Returns:
            A list in the order of arrival, or a set where the medium keeps no order.
        """
        raise NotImplementedError("implement delivered: read the ids back from where your delivery channel puts them")

    def break_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Bring it about that deliveries to one recipient fail, not permanently, and others go on."""
        raise NotImplementedError("implement break_recipient and mend_recipient, or set can_fail = False")

    def mend_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Take back what `break_recipient` did."""
        raise NotImplementedError("implement break_recipient and mend_recipient, or set can_fail = False")

    @law
    async def test_one_outcome_for_each_job(self, fresh: Fresh) -> None:
        """`deliver` returns one outcome for each job of the batch, in order."""
        async with opened(fresh()) as channel:
            assert list(await channel.deliver([])) == []
            if self.can_fail:
                self.break_recipient(channel, "b")
            first, broken, last = posts("a", "b", "c")
            jobs: list[Job] = [first, Dropped(3), broken, Retraction("d", "0" * 16), last]
            outcomes = await deliver(channel, *jobs)
            assert [isinstance(outcome, Done) for outcome in outcomes] == [True, True, not self.can_fail, True, True]

    @law
    async def test_order(self, fresh: Fresh) -> None:
        """Jobs of one recipient are carried out in the order given."""
        async with opened(fresh()) as channel:
            first, second, third, last = batch = posts("a", "a", "a", "a")
            before: list[Job] = [first, second, retraction(first), third]
            outcomes = await deliver(channel, *before, retraction(last), last, retraction(second))
            left = [third, last] if kept(outcomes[0]) else batch
            assert_arrived(await self.delivered(channel, "a"), left)
            if self.can_fail:
                await self._fail_behind_a_failure(channel)

    async def _fail_behind_a_failure(self, channel: DeliveryChannel) -> None:
        self.break_recipient(channel, "b")
        first, other, second = batch = posts("b", "c", "b")
        outcomes = await deliver(channel, *batch)
        assert isinstance(outcomes[0], Failed), "break_recipient did not make the delivery fail"
        assert not outcomes[0].permanent, "break_recipient made it fail permanently; the law is about other failures"
        assert outcomes[2] == outcomes[0], "what comes behind a failure fails with the same error"
        assert isinstance(outcomes[1], Done), "one recipient's failure is not another's"
        assert_arrived(await self.delivered(channel, "c"), [other])
        self.mend_recipient(channel, "b")
        assert_arrived(await self.delivered(channel, "b"), [])
        assert all(isinstance(outcome, Done) for outcome in await deliver(channel, first, second))
        assert_arrived(await self.delivered(channel, "b"), [first, second])

    @law
    async def test_once(self, fresh: Fresh) -> None:
        """A post that is delivered again under the same id is there once."""
        async with opened(fresh()) as channel:
            [post] = posts("a")
            outcomes = [*await deliver(channel, post, post), *await deliver(channel, post)]
            assert len(set(outcomes)) == 1, "delivered again, a post has another outcome"
            there = [post] if kept(outcomes[0]) else [post] * 3
            assert_arrived(await self.delivered(channel, "a"), there)

    @law
    async def test_retracting_nothing(self, fresh: Fresh) -> None:
        """Retracting what is not there is `Done`."""
        async with opened(fresh()) as channel:
            post, other = posts("a", "a")
            [delivery, _] = await deliver(channel, post, other)
            jobs: list[Job] = [Retraction("nobody", "0" * 16), retraction(post), retraction(post)]
            outcomes = [*await deliver(channel, *jobs), *await deliver(channel, jobs[1])]
            assert all(isinstance(outcome, Done) for outcome in outcomes)
            there = [other] if kept(delivery) else [post, other]
            assert_arrived(await self.delivered(channel, "a"), there)

    @law
    async def test_honest_outcomes(self, fresh: Fresh) -> None:
        """An outcome never claims more than was done."""
        batch = posts("a", "b", "a", "b")
        async with opened(fresh()) as channel:
            if self.can_fail:
                self.break_recipient(channel, "b")
            outcomes = await deliver(channel, *batch)
            if self.can_fail:
                self.mend_recipient(channel, "b")
            done = [post for post, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, Done)]
            for to in ("a", "b"):
                assert_arrived(await self.delivered(channel, to), [post for post in done if post.message.to == to])
        if durable(outcomes[0]):
            async with opened(fresh()) as successor:
                assert_arrived(await self.delivered(successor, "a"), [batch[0], batch[2]])

    @law
    async def test_cancelled_deliver(self, fresh: Fresh) -> None:
        """A cancelled `deliver` leaves nothing half delivered."""
        async with opened(fresh()) as channel:
            batches: list[list[Post]] = []

            async def attempt() -> None:
                batches.append(posts("a", "b"))
                await channel.deliver(batches[-1])

            async def check() -> None:
                batch = batches[-1]
                known = {post.message.id for each in batches for post in each}
                assert set(await self.delivered(channel, "a")) <= known, "what is there is no message that was given"
                [outcome, _] = await deliver(channel, *batch)
                for post in batch:
                    arrived = list(await self.delivered(channel, post.message.to))
                    assert arrived.count(post.message.id) == 1 or not kept(outcome), "it is not there once"

            await cancel_at_every_checkpoint(attempt, check)

    @law
    async def test_recovery(self, fresh: Fresh) -> None:
        """`recover` finds delivered messages that nobody acknowledged, oldest first per recipient."""
        batch = first, other, second, gone = posts("a", "b", "a", "a")
        async with opened(fresh()) as channel:
            await deliver(channel, *batch, retraction(gone))
        async with opened(fresh()) as successor:
            if not successor.recovers:
                with pytest.raises(NotImplementedError):
                    await recovered(successor, None)
                return
            found = await recovered(successor, None)
            assert [message for message in found if message.to == "a"] == [first.message, second.message]
            assert [message for message in found if message.to != "a"] == [other.message]
            assert await recovered(successor, ["b", "nobody"]) == [other.message], "it recovers what it was not asked"
            assert await recovered(successor, []) == []


def retraction(post: Post) -> Retraction:
    """Return the job that takes a post back."""
    return Retraction(post.message.to, post.message.id)


async def deliver(channel: DeliveryChannel, *jobs: Job) -> list[Outcome]:
    """Deliver a batch and return its outcomes: one for each job."""
    outcomes = list(await channel.deliver(jobs))
    assert len(outcomes) == len(jobs), f"{len(outcomes)} outcomes for {len(jobs)} jobs"
    return outcomes


def kept(outcome: Outcome) -> bool:
    """Return whether a delivery channel keeps what it delivers; what it says of it must fit."""
    assert isinstance(outcome, Done), f"it failed without being broken: {outcome}"
    assert outcome.state == "written" or outcome.durability is None, "what is `sent` is gone and has no durability"
    return outcome.state == "written"


def durable(outcome: Outcome) -> bool:
    """Return whether what was delivered survives the delivery channel."""
    return isinstance(outcome, Done) and kept(outcome) and outcome.durability in ("flushed", "fsynced")


def assert_arrived(arrived: Arrived, expected: Sequence[Post]) -> None:
    """Compare what is there with what should be, in order where the medium keeps one."""
    ids = [post.message.id for post in expected]
    if isinstance(arrived, AbstractSet):
        assert set(arrived) == set(ids)
    else:
        assert list(arrived) == ids


async def recovered(channel: DeliveryChannel, agents: Sequence[str] | None) -> list[Message]:
    """Return what a delivery channel recovers, in the order in which it hands it over."""
    found: list[Message] = []

    async def adopt(batch: Sequence[Message]) -> None:
        await trio.lowlevel.checkpoint()
        found.extend(batch)

    await channel.recover(agents, adopt)
    return found
