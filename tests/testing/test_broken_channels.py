"""The suite for delivery channels finds what is broken."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import pytest
import trio

from observatory import Adopt, DeliveryChannel, Done, Dropped, Failed, Job, Message, Outcome, Post, Retraction
from observatory.testing import DeliveryChannelConformance, FailingChannel


class Suite(DeliveryChannelConformance):
    """Reads back and breaks what is made here."""

    async def delivered(self, channel: DeliveryChannel, to: str) -> list[str]:
        """Ask it."""
        return channel.ids(to)  # type: ignore[attr-defined, no-any-return]

    def break_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let it fail for ever."""
        channel.left[to] = float("inf")  # type: ignore[attr-defined]

    def mend_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let it fail no more."""
        channel.left[to] = 0  # type: ignore[attr-defined]


class Good(FailingChannel):
    """Keeps the laws; what follows breaks one each."""

    def __init__(self) -> None:
        super().__init__(0)


class ForgetsMarkers(Good):
    """Gives no outcome for a `Dropped`."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Leave out outcomes."""
        outcomes = await super().deliver(batch)
        return [outcome for job, outcome in zip(batch, outcomes, strict=True) if not isinstance(job, Dropped)]


class Reverses(Good):
    """Carries out the last job first."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Turn the batch around, twice."""
        return list(await super().deliver(batch[::-1]))[::-1]


class GoesOn(Good):
    """Goes on behind a failure."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Try every job by itself, and fail only once."""
        outcomes: list[Outcome] = []
        for job in batch:
            outcomes += await super().deliver([job])
            if isinstance(outcomes[-1], Failed):
                self.left.clear()
        return outcomes


class FailsForAll(Good):
    """One recipient's failure is everybody's."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Fail all."""
        outcomes = await super().deliver(batch)
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        return failures[:1] * len(batch) if failures else outcomes


class FailsForGood(FailingChannel):
    """Says of every failure that it is permanent."""

    def __init__(self) -> None:
        super().__init__(0, permanent=True)


class NeverFails(Good):
    """Does not fail when it is broken."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Mend itself."""
        self.left.clear()
        return await super().deliver(batch)


class Doubles(Good):
    """Keeps a post as often as it is delivered."""

    def _carry_out(self, job: Job) -> Outcome:
        if isinstance(job, Post):
            self.delivered.append(job.message)
            return Done("written", "memory")
        return super()._carry_out(job)


class Stumbles(Good):
    """Fails to retract what is not there."""

    def _carry_out(self, job: Job) -> Outcome:
        if isinstance(job, Retraction) and job.id not in self.ids(job.to):
            return Failed("not there")
        return super()._carry_out(job)


class KeepsAll(Good):
    """Takes nothing back."""

    def _carry_out(self, job: Job) -> Outcome:
        return Done("written") if isinstance(job, Retraction) else super()._carry_out(job)


class Claims(Good):
    """Claims to have written what it dropped."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Hide the failures."""
        return [Done("written", "memory") for _ in await super().deliver(batch)][: len(batch)]


class ClaimsDurability(Good):
    """Claims that what it has survives."""

    def _carry_out(self, job: Job) -> Outcome:
        super()._carry_out(job)
        return Done("written", "flushed")


class DurableSent(Good):
    """Claims durability for what is only sent."""

    def _carry_out(self, job: Job) -> Outcome:
        super()._carry_out(job)
        return Done("sent", "flushed")


class HalfDelivered(Good):
    """Puts something under another name first, and leaves it there when it is cancelled."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Write in two steps."""
        self.delivered += [Message("partial", "b", "a", "", message.timestamp) for message in messages_of(batch)]
        await trio.lowlevel.checkpoint()
        self.delivered = [message for message in self.delivered if message.id != "partial"]
        return await super().deliver(batch)


class DoublesWhenCancelled(Good):
    """Does not know what it has delivered before it was cancelled."""

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Write first, and wait then."""
        self.delivered += messages_of(batch)
        await trio.lowlevel.checkpoint()
        return [Done("written")] * len(batch)


def messages_of(batch: Sequence[Job]) -> list[Message]:
    """Return the messages that are posted in a batch."""
    return [job.message for job in batch if isinstance(job, Post)]


class Recovers(Good):
    """Keeps everything for the next one."""

    recovers = True

    def __init__(self, medium: list[Message]) -> None:
        super().__init__()
        self.delivered = medium

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Hand over what is there."""
        await adopt([message for message in self.delivered if agents is None or message.to in agents])

    def _carry_out(self, job: Job) -> Outcome:
        if isinstance(job, Post):
            self.delivered.append(job.message)
        elif isinstance(job, Retraction):
            self.delivered[:] = [message for message in self.delivered if message.id != job.id]
        return Done("written", "flushed")


class RecoversBackwards(Recovers):
    """Hands over the newest first."""

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Turn it around."""
        await adopt([message for message in self.delivered[::-1] if agents is None or message.to in agents])


class RecoversAll(Recovers):
    """Hands over what it was not asked for."""

    async def recover(self, agents: Collection[str] | None, adopt: Adopt) -> None:
        """Ask for everything."""
        await super().recover(None, adopt)


class HidesRecovery(Recovers):
    """Does not say that it recovers."""

    recovers = False


def on_one_medium(kind: Callable[[list[Message]], DeliveryChannel]) -> Callable[[], DeliveryChannel]:
    """Return what makes delivery channels that share what they keep."""
    medium: list[Message] = []
    return lambda: kind(medium)


LAWS = Suite()


@pytest.mark.parametrize(
    ("law", "make", "finding"),
    [
        (LAWS.test_one_outcome_for_each_job, ForgetsMarkers, "4 outcomes for 5 jobs"),
        (LAWS.test_one_outcome_for_each_job, NeverFails, "assert"),
        (LAWS.test_order, Reverses, "assert"),
        (LAWS.test_order, GoesOn, "what comes behind a failure fails with the same error"),
        (LAWS.test_order, FailsForAll, "one recipient's failure is not another's"),
        (LAWS.test_order, FailsForGood, "break_recipient made it fail permanently"),
        (LAWS.test_order, NeverFails, "break_recipient did not make the delivery fail"),
        (LAWS.test_once, Doubles, "assert"),
        (LAWS.test_once, DurableSent, "what is `sent` is gone"),
        (LAWS.test_retracting_nothing, Stumbles, "assert"),
        (LAWS.test_retracting_nothing, KeepsAll, "assert"),
        (LAWS.test_honest_outcomes, Claims, "assert"),
        (LAWS.test_honest_outcomes, ClaimsDurability, "assert"),
        (LAWS.test_cancelled_deliver, HalfDelivered, "no message that was given"),
        (LAWS.test_cancelled_deliver, DoublesWhenCancelled, "it is not there once"),
        (LAWS.test_recovery, on_one_medium(RecoversBackwards), "assert"),
        (LAWS.test_recovery, on_one_medium(RecoversAll), "it recovers what it was not asked"),
        (LAWS.test_recovery, on_one_medium(HidesRecovery), "DID NOT RAISE"),
    ],
)
async def test_broken(
    law: Any, make: Callable[[], DeliveryChannel], finding: str, broken: Callable[..., Awaitable[str]]
) -> None:
    """A law that is broken is found, by the test of that law."""
    assert finding in await broken(law, make)


@pytest.mark.parametrize("law", [LAWS.test_recovery, LAWS.test_honest_outcomes])
async def test_durable(law: Any) -> None:
    """A delivery channel that keeps what it claims to keep passes; the law has asked a second one."""
    made: list[DeliveryChannel] = []
    make = on_one_medium(Recovers)

    def fresh() -> DeliveryChannel:
        made.append(make())
        return made[-1]

    await law(fresh)
    assert len(made) == 2


async def test_set(broken: Callable[..., Awaitable[str]]) -> None:
    """Where the medium keeps no order, a set is read back, and order is not asked for."""

    class KeepsNoOrder(Good):
        def ids(self, to: str) -> list[str]:
            return super().ids(to)[::-1]

    class Unordered(Suite):
        async def delivered(self, channel: DeliveryChannel, to: str) -> set[str]:  # type: ignore[override]
            read.append(set(await super().delivered(channel, to)))
            return read[-1]

    read: list[set[str]] = []
    await Unordered().test_order(KeepsNoOrder)
    assert max(map(len, read)) == 2
    assert "assert" in await broken(LAWS.test_order, KeepsNoOrder)
