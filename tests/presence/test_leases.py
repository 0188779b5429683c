"""Leases, as a model: never two of one resource, and each lasts as long as it is renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from observatory import Lease, LeaseLimitError, LeaseLostError, LeaseTakenError, PresenceSettings
from observatory.presence.leases import Leases, Moment

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 10.0
HOLDERS = st.sampled_from(["ann", "bob", "cid"])
RESOURCES = st.sampled_from("vwxyz")


class Model(RuleBasedStateMachine):
    """Takes, renews, gives back, takes away, and lets time go by."""

    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.table = Leases(PresenceSettings(lease_seconds=SECONDS, max_leases=4, max_leases_each=3))
        self.time = 0.0
        self.held: dict[str, tuple[str, str, float]] = {}  # holder, resource and end, by id; infinite in a block
        self.lost: set[str] = set()  # of those that blocks have
        self.told: list[str] = []  # resources whose blocks were told that they are over

    @property
    def now(self) -> Moment:
        """The time, once what has expired is over."""
        now = Moment(self.time, START + timedelta(seconds=self.time))
        ended = {lease.id for lease in self.table.expire(now)}
        assert ended == {id for id, (_, _, end) in self.held.items() if end <= self.time}
        self.held = {id: each for id, each in self.held.items() if id not in ended}
        return now

    @rule(target=leases, holder=HOLDERS, resource=RESOURCES, block=st.booleans())
    def take(self, holder: str, resource: str, block: bool) -> Lease | None:
        """Take a lease, as a program does, or a block of this one."""
        now = self.now
        lose = (lambda: self.told.append(resource)) if block else None
        for other, held, end in self.held.values():
            if held == resource:
                with pytest.raises(LeaseTakenError) as refusal:
                    self.table.take(holder, resource, now, lose)
                assert refusal.value.holder == other
                assert refusal.value.expires_at == now.wall + timedelta(seconds=min(end - self.time, SECONDS))
                return None
        if len(self.held) == 4 or [each[0] for each in self.held.values()].count(holder) == 3:
            with pytest.raises(LeaseLimitError):
                self.table.take(holder, resource, now, lose)
            return None
        lease = self.table.take(holder, resource, now, lose)
        assert (lease.taken_at, lease.expires_at) == (now.wall, now.wall + timedelta(seconds=SECONDS))
        self.held[lease.id] = holder, resource, float("inf") if block else self.time + SECONDS
        return lease

    @rule(lease=leases)
    def renew(self, lease: Lease | None) -> None:
        """Renew one, if it is there still."""
        now, id = self.now, lease.id if lease else "none"
        if id in self.held and id not in self.lost:
            assert self.table.renew(id, now).expires_at == now.wall + timedelta(seconds=SECONDS)
            holder, resource, end = self.held[id]
            self.held[id] = holder, resource, max(end, self.time + SECONDS)
        else:
            with pytest.raises(LeaseLostError):
                self.table.renew(id, now)

    @rule(lease=consumes(leases))
    def give_back(self, lease: Lease | None) -> None:
        """Give one back, if it is there still."""
        now, id = self.now, lease.id if lease else "none"
        assert (self.table.find(id, now) is not None) == (id in self.held and id not in self.lost)
        if id in self.held:
            _, resource, end = self.held.pop(id)
            if end < float("inf"):
                over = self.table.give_up(id, "released", now)
                assert over is not None
                assert over.resource == resource
            else:
                left, why = self.table.leave(id, now)
                assert (left.resource, why) == (resource, "ended" if id in self.lost else None)

    @rule(holder=HOLDERS)
    def take_away(self, holder: str) -> None:
        """Take all leases of one agent away: what a block has is its until it is left."""
        now, told = self.now, len(self.told)
        theirs = {id: each for id, each in self.held.items() if each[0] == holder}
        timed = {id for id, each in theirs.items() if each[2] < float("inf")}
        blocks = theirs.keys() - timed
        assert {lease.id for lease in self.table.take_away(holder, now)} == timed
        assert sorted(self.told[told:]) == sorted([theirs[id][1] for id in blocks - self.lost])
        self.lost |= blocks
        self.held = {id: each for id, each in self.held.items() if id not in timed}

    @rule(seconds=st.sampled_from([0.5, 4.0, 10.0]))
    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.time += seconds

    @invariant()
    def as_the_model_says(self) -> None:
        """The table holds what the model holds: each resource once."""
        now = self.now
        found = self.table.all(now)
        assert [lease.resource for lease in found] == sorted({lease.resource for lease in found})
        assert {lease.id: (lease.holder, lease.resource) for lease in found} == {
            id: each[:2] for id, each in self.held.items()
        }
        assert all(lease.expires_at > now.wall for lease in found)
        assert self.table.first_deadline == min([each[2] for each in self.held.values()], default=float("inf"))


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
