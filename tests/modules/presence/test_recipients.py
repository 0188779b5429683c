"""What a sender is told of a recipient of whom nobody has heard."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    Context,
    MailboxSettings,
    Member,
    Module,
    Observatory,
    ObservatoryError,
    Presence,
    PresenceSettings,
    PubSub,
    Receipt,
    Settings,
    SwarmMonitor,
    SwarmSettings,
    SwarmState,
    Team,
    TrioClock,
    UnknownMessageError,
    UnknownRecipientError,
    open_observatory,
)
from observatory.swarm.source import Edit, Found, SwarmSource
from observatory.testing import RecordingChannel


@pytest.fixture
def refusing(bare_settings: Any) -> Settings:
    """Return settings that refuse recipients of whom nobody has heard."""
    settings: Settings = bare_settings(mailbox=MailboxSettings(unknown_recipients="refuse"))
    return settings


async def test_receipts(open_here: Any) -> None:
    """A receipt says nothing of a recipient who is known, and else which names are near."""
    async with open_here() as obs:
        send = obs.mailbox.send_message
        assert (await send("agent-1", "agent-2", "hello")).nearest == ("agent-2",)
        assert (await send("agent-2", "agent-1", "hello")).nearest is None
        assert (await send("agent-2", "agent-2", "hello")).nearest is None
        assert (await send("zoe", "agent-2", "hello")).nearest == ()
        outcomes = await obs.mailbox.broadcast_to_many(["agent-1", "agnet-1", "..", "zoe"], "agent-1", "hello")
        found = [outcome.nearest for outcome in outcomes if isinstance(outcome, Receipt)]
        assert found == [None, ("agent-1", "agent-2"), ()]


async def test_with_delivery_channels(open_here: Any) -> None:
    """The same where delivery channels have to report."""
    async with open_here(channels={"keep": RecordingChannel()}, delivery={"required": ("keep",)}) as obs:
        assert (await obs.mailbox.send_message("agent-1", "agent-2", "hello")).nearest == ("agent-2",)
        assert (await obs.mailbox.send_message("agent-2", "agent-1", "hello")).nearest is None


async def test_broadcast_to_strangers(open_here: Any) -> None:
    """A broadcast to very many of whom nobody has heard is sent; of the first twenty it is said which are near."""
    async with open_here() as obs:
        names = [f"agent-{number}" for number in range(10_000)]
        outcomes = await obs.mailbox.broadcast_to_many(names, "agent-x", "hello")
        found = [outcome.nearest for outcome in outcomes if isinstance(outcome, Receipt)]
        assert found == [("agent-x",)] * 20 + [()] * 9_980


async def test_by_the_name_that_a_policy_gives(open_here: Any) -> None:
    """It is about whom the message goes to in the end."""
    policies = {"rename": lambda draft: attrs.evolve(draft, to="ann" if draft.to == "lead" else draft.to)}
    async with open_here(policies=policies) as obs:
        await obs.mailbox.send_message("x", "ann", "hello")
        assert (await obs.mailbox.send_message("lead", "x", "hello")).nearest is None


def contents(obs: Observatory) -> list[str]:
    """Return what is in all mailboxes."""
    return [message.content for agent in obs.mailbox.get_stats() for message in obs.mailbox.get_messages(agent)]


async def test_refused(refusing: Settings) -> None:
    """Where such are refused, nothing has happened, and the error has the names."""
    async with open_observatory(refusing) as obs:
        with pytest.raises(UnknownRecipientError, match="did you mean 'agent-2'") as refusal:
            await obs.mailbox.send_message("agent-1", "agent-2", "hello")
        assert (refusal.value.to, refusal.value.nearest) == ("agent-1", ("agent-2",))
        with pytest.raises(UnknownRecipientError):
            await obs.mailbox.request("agent-1", "agent-2", "hello")
        assert contents(obs) == []
        await obs.mailbox.send_message("agent-2", "agent-1", "hello")
        await obs.mailbox.send_message("agent-1", "agent-2", "hello")
        assert contents(obs) == ["hello"] * 2


async def test_refused_among_many(refusing: Settings) -> None:
    """In a broadcast the error stands in its place; it may be that all are refused."""
    async with open_observatory(refusing) as obs:
        await obs.mailbox.mark_read("ann")
        outcomes = await obs.mailbox.broadcast_to_many(["ann", "..", "amn"], "bob", "hello")
        assert [type(outcome) for outcome in outcomes[:2]] == [Receipt, outcomes[1].__class__]
        assert isinstance(outcomes[2], UnknownRecipientError)
        assert outcomes[2].nearest == ("ann",)
        [outcome] = await obs.mailbox.broadcast_to_many(["zoe"], "bob", "hello")
        assert isinstance(outcome, UnknownRecipientError)
        assert contents(obs) == ["hello"]


async def test_a_key_that_was_used(bare_settings: Any) -> None:
    """What was sent before gives its receipt again, though its recipient was forgotten since; else it is refused."""
    settings = bare_settings(
        mailbox=MailboxSettings(unknown_recipients="refuse"), presence=PresenceSettings(max_agents=2)
    )
    async with open_observatory(settings) as obs:
        with pytest.raises(UnknownRecipientError):
            await obs.mailbox.send_message("ann", "bob", "hello", idempotency_key="key")
        await obs.mailbox.mark_read("ann")
        first = await obs.mailbox.send_message("ann", "bob", "hello", idempotency_key="key")
        for name in ("x", "y", "bob", "z"):
            await obs.mailbox.mark_read(name)
        assert obs.presence.get_agent("ann") is None
        again = await obs.mailbox.send_message("ann", "bob", "hello", idempotency_key="key")
        assert (again.message, again.duplicate) == (first.message, True)
        with pytest.raises(UnknownRecipientError):
            await obs.mailbox.send_message("ann", "bob", "hello", idempotency_key="another")
        assert contents(obs) == ["hello"]


async def test_twins_that_are_refused(refusing: Settings) -> None:
    """Each of those who send the same at once is told."""
    async with open_observatory(refusing) as obs:
        refused: list[ObservatoryError] = []

        async def send() -> None:
            try:
                await obs.mailbox.send_message("ann", "bob", "hello", idempotency_key="key")
            except UnknownRecipientError as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(send)
        assert len(refused) == 3


def write_team(root: Path, name: str, *members: str) -> None:
    """Write a team's config."""
    folder = root / "teams" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"members": [{"name": member} for member in members]}))


async def test_teams_that_are_followed(open_here: Any, told: Any) -> None:
    """Who is in a team is known as soon as the swarm's state says so."""
    async with open_here() as obs, obs.pubsub.subscribe("presence:update") as updates:
        write_team(obs.settings.root, "blue", "ann")
        assert (await obs.mailbox.send_message("ann@blue", "x", "hello")).nearest == ()
        await obs.swarm.refresh()
        joined = [one.name for update in await told(updates) for one in update.joined]
        assert joined == ["x", "ann@blue"]
        assert (await obs.mailbox.send_message("ann@blue", "x", "hello")).nearest is None
        assert (await obs.mailbox.send_message("ann", "x", "hello")).nearest is None
        write_team(obs.settings.root, "blue", "bob")
        await obs.swarm.refresh()
        [update] = await told(updates)
        assert (update.forgotten, [one.name for one in update.joined]) == (("ann@blue",), ["bob@blue"])


async def test_teams_that_are_looked_for(bare_settings: Any) -> None:
    """A program that does one thing looks who is in a team, at once, and again after three seconds."""
    settings = bare_settings()
    write_team(settings.root, "blue", "ann")
    async with open_observatory(settings, services=False) as obs:
        send = obs.mailbox.send_message
        assert (await send("ann@blue", "x", "hello")).nearest is None
        write_team(settings.root, "red", "bob")
        assert (await send("bob@red", "x", "hello")).nearest is not None
        obs.presence._looked -= 3
        outcomes = await obs.mailbox.broadcast_to_many(["bob@red", "ann@blue"], "x", "hello")
        assert [one.nearest for one in outcomes if isinstance(one, Receipt)] == [None, None]
        write_team(settings.root, "green", "cid")
        obs.presence._looked -= 3
        with trio.move_on_after(0.1):
            await obs.mailbox.request("cid@green", "x", "hello")
        assert obs.presence.get_agent("cid@green") is not None
        obs.pubsub.publish("swarm:update", SwarmState(None, {}, (Team("x", (Member("y", "y", None, None),)),), ()))
        assert obs.presence.get_agent("y") is None


@pytest.mark.parametrize("value", ["maybe", 5, None])
def test_setting(value: Any) -> None:
    """Anything else than the two words is refused."""
    with pytest.raises(ObservatoryError, match="expected one of 'accept', 'refuse', got"):
        MailboxSettings(unknown_recipients=value)


async def test_members_are_known_from_the_beginning(bare_settings: Any) -> None:
    """A service knows who is in a team before anybody can write to them."""
    settings = bare_settings(mailbox=MailboxSettings(unknown_recipients="refuse"), swarm=SwarmSettings())
    folder = settings.root / "teams" / "blue"
    folder.mkdir(parents=True)
    member = {"agentId": "bob@blue", "name": "bob"}
    (folder / "config.json").write_text(json.dumps({"name": "blue", "members": [member]}))
    async with open_observatory(settings) as obs:
        assert (await obs.mailbox.send_message("bob@blue", "ann", "hello")).nearest is None


async def test_what_has_failed_tells_of_nobody(refusing: Settings) -> None:
    """Who could not acknowledge a message is not known for having tried."""
    async with open_observatory(refusing) as obs:
        with pytest.raises(UnknownMessageError):
            await obs.mailbox.mark_read("typo", "0" * 16)
        with pytest.raises(UnknownRecipientError):
            await obs.mailbox.send_message("typo", "ann", "hello")


class Teams(SwarmSource):
    """Knows one team, and nothing else."""

    async def locate(self, path: str) -> str:
        """Return the path."""
        raise NotImplementedError

    async def find(self, added: Collection[str]) -> Found:
        """Return the team."""
        await trio.lowlevel.checkpoint()
        return Found((Team("blue", (Member("bob", "bob@blue", None, None),)),), {}, ())

    async def read(self, project: str) -> bytes:
        """Return nothing."""
        raise NotImplementedError

    async def change(self, project: str, edit: Edit) -> bytes:
        """Change nothing."""
        raise NotImplementedError

    async def archive(self, team: str) -> None:
        """Put nothing aside."""
        raise NotImplementedError

    async def watch(
        self, projects: Collection[str], changed: Any, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Tell nothing."""
        raise NotImplementedError


async def test_members_are_known_once_it_is_ready(tmp_path: Path) -> None:
    """Before whoever follows the swarm has looked for the first time."""
    context = Context(tmp_path, TrioClock(), PubSub(), None, {}, {})
    presence = Presence(context, settings=PresenceSettings(), source=Teams())
    async with trio.open_nursery() as nursery:
        await nursery.start(presence.run)
        assert [agent.name for agent in presence.list_agents()] == ["bob@blue"]
        nursery.cancel_scope.cancel()


async def test_members_that_the_monitor_knows_already(tmp_path: Path) -> None:
    """Whoever begins after the monitor has looked, as it does after a failure, knows them without news of them."""
    modules: dict[str, Module] = {}
    context = Context(tmp_path, TrioClock(), PubSub(), None, modules, {})
    monitor = SwarmMonitor(context, settings=SwarmSettings(), source=Teams(), follows=False)
    modules["SwarmMonitor"] = monitor
    await monitor.refresh()
    presence = Presence(context, settings=PresenceSettings())
    async with trio.open_nursery() as nursery:
        await nursery.start(presence.run)
        await wait_all_tasks_blocked()
        assert [agent.name for agent in presence.list_agents()] == ["bob@blue"]
        nursery.cancel_scope.cancel()
