"""The state of which a topic tells the changes: with the events that follow it is the state at any later time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import trio

from observatory import Module, Notes
from observatory.testing import observatory_plugin

_AGENTS = ("agent-1", "agent-2", "agent-3")
_END = "the end"


def _unread_ids(snapshot: Any, events: list[Any]) -> Any:
    """Follow which messages of a mailbox are unread."""
    assert snapshot["more"] is False
    unread = {message["id"] for message in snapshot["messages"]}
    for event in events:
        payload = event["payload"]
        if event["kind"] == "Message":
            assert payload["id"] not in unread, "a message that the snapshot has came again"
            unread.add(payload["id"])
        elif event["kind"] == "MessagesRead":
            assert unread.issuperset(payload["ids"]), "what was acknowledged was not known"
            unread.difference_update(payload["ids"])
        else:
            unread.clear()
    return unread


def _unread_counts(snapshot: Any, events: list[Any]) -> Any:
    """Follow how many messages of each mailbox are unread."""
    unread = {agent: figures["unread"] for agent, figures in snapshot.items()}
    for event in events:
        payload = event["payload"]
        if event["kind"] == "Message":
            unread[payload["to"]] = unread.get(payload["to"], 0) + 1
        elif event["kind"] == "MessagesRead":
            unread[payload["to"]] -= len(payload["ids"])
        else:
            unread[payload["to"]] = 0
    return {agent: count for agent, count in unread.items() if count}


def _notes(snapshot: Any, events: list[Any]) -> Any:
    """Follow the notes."""
    notes = {note["key"]: note["text"] for note in snapshot}
    for event in events:
        if event["kind"] == "Note":
            notes[event["payload"]["key"]] = event["payload"]["text"]
        else:
            del notes[event["payload"]["key"]]
    return notes


_TOPICS: dict[str, tuple[Callable[[Any, list[Any]], Any], Callable[[Any], Any]]] = {
    "agent:agent-1": (
        _unread_ids,
        lambda obs: {message.id for message in obs.mailbox.get_messages("agent-1", unread_only=True)},
    ),
    "agent:*": (
        _unread_counts,
        lambda obs: {name: box.unread for name, box in obs.mailbox.get_stats().items() if box.unread},
    ),
    "notes:update": (_notes, lambda obs: {note.key: note.text for note in obs.notes.list_notes()}),
}


async def _change_all_the_time(obs: Any, chance: random.Random, moves: int) -> None:
    """Send, acknowledge and clear messages, write and delete notes."""
    for number in range(moves):
        agent = chance.choice(_AGENTS)
        unread = obs.mailbox.get_messages(agent, unread_only=True)
        move = chance.random()
        if move < 0.4 and len(unread) < 90:
            await obs.mailbox.send_message(agent, "x", str(number))
        elif move < 0.6 and unread:
            await obs.mailbox.mark_read(agent, *(message.id for message in chance.sample(unread, 1)))
        elif move < 0.65:
            await obs.mailbox.clear_messages(agent)
        elif move < 0.85:
            await obs.notes.add_note(chance.choice("abc"), str(number))
        else:
            await obs.notes.delete_note(chance.choice("abc"))


@pytest.mark.parametrize("topic", _TOPICS)
@pytest.mark.parametrize("seed", range(3))
async def test_state_and_what_follows(house: Any, topic: str, seed: int) -> None:
    """However much changes meanwhile, a snapshot and the events behind it are the state: no hole, no double."""
    follow, state = _TOPICS[topic]
    obs = house.obs
    chance = random.Random(seed)
    async with house.client() as client:
        await _change_all_the_time(obs, chance, 50)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(_change_all_the_time, obs, chance, 100)
            for _ in range(chance.randrange(30)):
                await trio.lowlevel.checkpoint()
            answer = await client.call("topics.subscribe", topic=topic, snapshot=True)
        await obs.mailbox.send_message("agent-1", "x", _END)
        await obs.notes.add_note(_END, "")
        events: list[Any] = []
        while not events or _END not in (events[-1]["payload"].get("content"), events[-1]["payload"].get("key")):
            events.append(await client.event())
        by = "position" if topic.endswith(":*") else "sequence"
        assert all(event[by] > answer["newest"] for event in events)
        assert follow(answer["snapshot"], events) == state(obs)


class _Fragile(Module):
    """A module that fails when it is told to."""

    def __init__(self) -> None:
        self.fail = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait to be told."""
        task_status.started()
        await self.fail.wait()
        self.fail = trio.Event()
        raise RuntimeError("told to")


async def test_health(open_house: Any, log: Any) -> None:
    """The snapshot of `health:update` is the state of every child, and each event the one after it."""
    log.expect("module:Fragile", times=1)
    module = _Fragile()
    plugin = observatory_plugin("fragile", modules={"Fragile": lambda context: module})
    async with open_house(plugins=(plugin,)) as house, house.client() as client:
        answer = await client.call("topics.subscribe", topic="health:update", snapshot=True)
        assert answer["snapshot"] == await client.call("health.get")
        assert answer["snapshot"]["healthy"] is True
        module.fail.set()
        states: list[tuple[str, int]] = []
        while not states or states[-1] != ("running", 1):
            event = await client.event()
            [child] = [child for child in event["payload"]["children"] if child["name"] == "module:Fragile"]
            states.append((child["state"], child["restarts"]))
        assert event["payload"] == await client.call("health.get")


async def test_refused_snapshot(house: Any, followed: Any) -> None:
    """A snapshot that is refused subscribes to nothing."""
    async with house.client() as client:
        await client.refusal("topics.subscribe", topic="build", snapshot=True)
        await client.refusal("topics.subscribe", topic="agent:../x", snapshot=True)
        assert not followed(house.obs)
        assert (await client.call("topics.subscribe", topic="build"))["snapshot"] is None


async def test_failed_snapshot(house: Any, log: Any, monkeypatch: pytest.MonkeyPatch, followed: Any) -> None:
    """A snapshot that fails in a way that nobody foresees subscribes to nothing either."""
    log.expect("the method 'topics.subscribe' has failed")
    monkeypatch.setattr(Notes, "list_notes", lambda _: 1 / 0)
    async with house.client() as client:
        await client.refusal("topics.subscribe", topic="notes:update", snapshot=True)
        assert not followed(house.obs)


async def test_long_mailbox(house: Any) -> None:
    """Of a mailbox with many unread messages a snapshot has the newest, and says that there are more."""
    obs = house.obs
    for number in range(150):
        await obs.mailbox.send_message("agent-1", "x", str(number))
    async with house.client() as client:
        answer = await client.call("topics.subscribe", topic="agent:agent-1", snapshot=True)
        assert [message["content"] for message in answer["snapshot"]["messages"]] == [
            str(n) for n in range(149, 49, -1)
        ]
        assert answer["snapshot"]["more"] is True
        before = answer["snapshot"]["messages"][-1]["id"]
        rest = await client.call("mailbox.messages", agent="agent-1", before=before)
        assert (len(rest["messages"]), rest["more"]) == (50, False)
