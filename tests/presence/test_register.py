"""The agents that are known: what is told of them, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from observatory import Member, PresenceUpdate, Team
from observatory.presence.register import AT_ONCE
from tests.presence.known import START, Known, message, team

MINUTE = timedelta(minutes=1)


def names(agents: tuple[Any, ...]) -> list[str]:
    """Return the names of agents."""
    return [agent.name for agent in agents]


def test_joined_once() -> None:
    """Who sends for the first time has joined; one more message is no news, and is seen."""
    known = Known()
    assert known.note(message("ann", "ann")) is None
    assert names(known.update(START).joined) == ["ann"]
    told = known.told
    known.note(message("ann", "ann", START + MINUTE))
    assert (known.told, known.update(START + MINUTE)) == (told, PresenceUpdate())
    agent = known.agent("ann", START + MINUTE)
    assert agent is not None
    assert (agent.last_seen, agent.joined, agent.sources) == (START + MINUTE, START, ("message",))


def test_idle_and_gone() -> None:
    """Without a word one gets idle, then gone; each is told when its time has come, and once."""
    known = Known(idle_after=60.0, gone_after=600.0)
    known.hear("ann", "message", START)
    known.update(START)
    assert known.seconds_left(START) == 60
    assert known.update(START + MINUTE - timedelta(microseconds=1)) == PresenceUpdate()
    assert [one.status for one in known.update(START + MINUTE).changed] == ["idle"]
    assert known.seconds_left(START + MINUTE) == 540
    assert known.update(START + 2 * MINUTE) == PresenceUpdate()
    assert names(known.update(START + 10 * MINUTE).left) == ["ann"]
    assert known.seconds_left(START + 10 * MINUTE) == float("inf")
    assert known.update(START + 100 * MINUTE) == PresenceUpdate()


@pytest.mark.parametrize(("silence", "told"), [(2 * MINUTE, "changed"), (20 * MINUTE, "joined")])
def test_back(silence: timedelta, told: str) -> None:
    """Who was idle is active again, and who was gone has joined again, as soon as it says something."""
    known = Known(idle_after=60.0, gone_after=600.0)
    known.note(message("ann", "bob"))
    known.update(START)
    known.update(START + silence)
    before = known.told
    known.note(message("ann", "bob", START + silence))
    assert known.told > before
    [agent] = getattr(known.update(START + silence), told)
    assert agent.status == "active"


def test_heard_in_between() -> None:
    """At the time at which one would have been idle one more look is due later."""
    known = Known(idle_after=60.0)
    known.note(message("ann", "bob"))
    known.update(START)
    known.note(message("ann", "bob", START + timedelta(seconds=59)))
    assert known.update(START + MINUTE) == PresenceUpdate()
    assert known.seconds_left(START + MINUTE) == 59


def test_looks_once_a_second() -> None:
    """However many times there are at which something may change, all are looked at once a second at most."""
    known = Known(idle_after=60.0)
    for number in range(10):
        known.hear(f"agent-{number}", "message", START + timedelta(milliseconds=number))
    known.update(START + timedelta(milliseconds=9))
    known.update(START + MINUTE)
    assert known.seconds_left(START + MINUTE) == 1
    assert len(known.update(START + MINUTE + timedelta(seconds=1)).changed) == 9


def test_sources() -> None:
    """What tells of an agent is told, in the order in which that did; a message of before changes nothing."""
    known = Known()
    known.hear("ann", "event", START)
    known.update(START)
    known.hear("ann", "message", START - MINUTE)
    [agent] = known.update(START).changed
    assert (agent.sources, agent.last_seen) == (("event", "message"), START)


def test_kept() -> None:
    """Who is kept may be idle, and is gone only when it was let go."""
    known = Known(idle_after=60.0, gone_after=600.0)
    known.keep("ann", "connection", START)
    known.keep("ann", "connection", START)
    known.update(START)
    assert [one.status for one in known.update(START + MINUTE).changed] == ["idle"]
    assert known.seconds_left(START + MINUTE) == float("inf")
    known.let_go("ann")
    assert known.update(START + 60 * MINUTE) == PresenceUpdate()
    known.let_go("ann")
    assert names(known.update(START + 60 * MINUTE).left) == ["ann"]


def test_let_go_at_once() -> None:
    """Who is let go while it is active is gone in its time."""
    known = Known(idle_after=60.0, gone_after=600.0)
    known.keep("ann", "lease", START)
    known.update(START)
    told = known.told
    known.let_go("ann")
    assert known.told == told
    assert [one.status for one in known.update(START + MINUTE).changed] == ["idle"]
    assert names(known.update(START + 10 * MINUTE).left) == ["ann"]


def test_end() -> None:
    """Who says that it ends is gone at once, and there again when it says something else."""
    known = Known()
    known.note(message("ann", "bob"))
    known.update(START)
    known.end("ann", START + MINUTE)
    assert names(known.update(START + MINUTE).left) == ["ann"]
    known.note(message("ann", "bob", START + 2 * MINUTE))
    assert names(known.update(START + 2 * MINUTE).joined) == ["ann"]


def test_end_and_beginning_at_once() -> None:
    """Who begins again at the same time as it ends is there; what is older than the end changes nothing."""
    known = Known()
    known.end("ann", START + MINUTE)
    known.hear("ann", "message", START)
    assert known.update(START + MINUTE) == PresenceUpdate()
    known.hear("ann", "event", START + MINUTE)
    assert names(known.update(START + MINUTE).joined) == ["ann"]


def test_message_right_after_the_end() -> None:
    """Who sends after it has said that it ends is there, also before anything was told."""
    known = Known()
    known.note(message("ann", "bob"))
    known.update(START)
    known.end("ann", START + MINUTE)
    known.note(message("ann", "bob", START + MINUTE))
    assert known.update(START + MINUTE).left == ()


def test_end_before_the_connection() -> None:
    """Who says that it ends, and then closes its connection, is gone."""
    known = Known()
    known.keep("ann", "connection", START)
    known.update(START)
    known.end("ann", START + MINUTE)
    known.let_go("ann", START + 2 * MINUTE)
    assert names(known.update(START + 2 * MINUTE).left) == ["ann"]


def test_end_of_one_that_is_kept() -> None:
    """Who is connected and says that it ends is idle."""
    known = Known()
    known.keep("ann", "connection", START)
    known.end("ann", START)
    [agent] = known.update(START).joined
    assert agent.status == "idle"


def test_gone_from_the_beginning() -> None:
    """Who was gone before anything was told of it is known, and not told of."""
    known = Known()
    known.hear("ann", "message", START)
    assert known.update(START + 100 * MINUTE) == PresenceUpdate()
    assert "ann" in known
    assert known.update(START + 200 * MINUTE) == PresenceUpdate()


def test_teams() -> None:
    """Members of teams are known by both of their names; who leaves all of them without a word is forgotten."""
    known = Known()
    known.hear("bob@blue", "message", START)
    known.set_teams([team("blue", "ann", "bob"), team("old", "eve", archived=True)], START)
    joined = known.update(START).joined
    assert [(one.name, one.status, one.teams, one.sources) for one in joined] == [
        ("bob@blue", "active", ("blue",), ("team", "message")),
        ("ann@blue", "idle", ("blue",), ("team",)),
    ]
    assert [name in known for name in ("ann", "ann@blue", "eve", "eve@old")] == [True, True, False, False]
    known.set_teams([], START)
    update = known.update(START)
    assert update.forgotten == ("ann@blue",)
    assert [(one.name, one.teams) for one in update.changed] == [("bob@blue", ())]
    assert "ann" not in known


def test_same_teams() -> None:
    """Teams in which nothing has changed are no news."""
    known = Known()
    known.set_teams([team("blue", "ann")], START)
    known.update(START)
    told = known.told
    known.set_teams([team("blue", "ann")], START)
    assert (known.told, known.update(START)) == (told, PresenceUpdate())


def test_team_that_came_and_went() -> None:
    """Who was never told of is not told of as forgotten."""
    known = Known()
    known.set_teams([team("blue", "ann")], START)
    known.set_teams([], START)
    assert known.update(START) == PresenceUpdate()


def test_members_beyond_the_bound() -> None:
    """Of members there are no more than agents may be, and none whose name nobody could write to."""
    known = Known(max_agents=2)
    known.set_teams([team("blue", "no name", "a", "b", "c")], START)
    assert names(tuple(known.agents(START))) == ["a@blue", "b@blue"]


def test_members_leave_room_for_others() -> None:
    """Of ten agents nine are in teams at most, and members who come at once do not make each other go."""
    known = Known(max_agents=10)
    for number in range(2):
        known.set_teams([team("blue", *(f"{number}-{one}" for one in range(10)))], START)
        assert names(tuple(known.agents(START))) == [f"{number}-{one}@blue" for one in range(9)]
    known.hear("ann", "message", START)
    assert "ann" in known
    assert "1-0@blue" in known


def test_names_of_members_that_are_none() -> None:
    """A member is known by its bare name if that is one."""
    known = Known()
    known.set_teams([Team("blue", (Member("Bob\n", "bob@blue", None, None),), False)], START)
    assert names(tuple(known.agents(START))) == ["bob@blue"]
    assert "Bob\n" not in known


def test_changes_of_those_who_are_forgotten() -> None:
    """Nothing is kept of them, however long nobody asks what has changed."""
    known = Known(max_agents=10)
    for number in range(100):
        known.hear(f"agent-{number}", "message", START)
    assert len(known._changed) <= 10


def test_several_teams() -> None:
    """A member is in each team that names it so."""
    known = Known(max_agents=1)
    teams = [Team(name, (Member("ann", "ann", None, None),)) for name in ("blue", "red")]
    known.set_teams(teams, START)
    assert [agent.teams for agent in known.agents(START)] == [("blue", "red")]


def test_room() -> None:
    """Beyond the bound a tenth is forgotten that was silent longest; none that is kept, or in a team."""
    known = Known(max_agents=10)
    known.keep("kept", "connection", START)
    known.set_teams([team("blue", "ann")], START)
    for number in range(8):
        known.hear(f"agent-{number}", "message", START + number * MINUTE)
    known.hear("agent-0", "message", START + 9 * MINUTE)
    known.update(START + 9 * MINUTE)
    known.hear("new", "message", START + 10 * MINUTE)
    update = known.update(START + 10 * MINUTE)
    assert (update.forgotten, names(update.joined)) == (("agent-1",), ["new"])
    assert "agent-1" not in known
    assert known.note(message("agent-1", "kept", START + 11 * MINUTE)) is None
    assert {"kept", "ann@blue", "agent-0", "new", "agent-1"} <= {one.name for one in known.agents(START)}


def test_no_room_at_all() -> None:
    """Where all are kept, one more is known all the same, until the next one comes."""
    known = Known(max_agents=1)
    known.keep("kept", "connection", START)
    for name in ("ann", "bob"):
        known.hear(name, "message", START)
    assert names(tuple(known.agents(START))) == ["bob", "kept"]


def test_many_at_once() -> None:
    """What is told at a time is bounded."""
    known = Known()
    for number in range(AT_ONCE + 1):
        known.hear(f"agent-{number}", "message", START)
    assert [len(update.joined) for update in known.updates(START)] == [AT_ONCE, 1]


def test_pages() -> None:
    """Agents are listed by name, from any of them on."""
    known = Known()
    for name in "cab":
        known.hear(name, "message", START)
    assert names(tuple(known.agents(START))) == ["a", "b", "c"]
    assert names(tuple(known.agents(START, "a", 1))) == ["b"]
    assert known.agent("d", START) is None
