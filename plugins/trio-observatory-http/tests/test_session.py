"""Whole sessions of coding agents, as their hooks tell of them."""

from __future__ import annotations

from typing import Any

from trio.testing import wait_all_tasks_blocked

from observatory import Gap, HookEvent, PubSubSettings

_COMMON = {
    "session_id": "0f6a2c1e-9a7b-4a55-8f0e-2d6f1f6a9b11",
    "transcript_path": "/home/ann/.claude/projects/p/0f6a2c1e.jsonl",
    "cwd": "/home/ann/p",
    "permission_mode": "default",
}
_TOOL = {"tool_name": "Bash", "tool_input": {"command": "ls -l", "timeout": 1000}, "tool_use_id": "toolu_01A"}
_DONE = {"tool_response": {"stdout": "a\nb", "stderr": "", "interrupted": False, "isImage": False}, "duration_ms": 12.5}

SESSION: list[dict[str, Any]] = [
    {"hook_event_name": "Setup", "trigger": "init"},
    {"hook_event_name": "SessionStart", "source": "startup", "model": "opus"},
    {"hook_event_name": "InstructionsLoaded", "files": ["/home/ann/p/CLAUDE.md"]},
    {"hook_event_name": "UserPromptSubmit", "prompt": "Räum auf \U0001f9f9", "prompt_id": "p1"},
    {"hook_event_name": "UserPromptExpansion", "prompt": "/tidy", "expanded": "Tidy up"},
    {"hook_event_name": "PreToolUse", **_TOOL},
    {"hook_event_name": "PermissionRequest", **_TOOL, "permission_suggestions": [{"type": "addRules", "rules": []}]},
    {"hook_event_name": "PermissionDenied", **_TOOL, "reason": "no"},
    {"hook_event_name": "PostToolUse", **_TOOL, **_DONE},
    {"hook_event_name": "PostToolUseFailure", **_TOOL, "error": "exit 1", "is_interrupt": False},
    {"hook_event_name": "PostToolBatch", "tools": [_TOOL | _DONE] * 3},
    {"hook_event_name": "SubagentStart", "agent_id": "a1", "agent_type": "Explore"},
    {"hook_event_name": "PreToolUse", **_TOOL, "agent_id": "a1", "agent_type": "Explore"},
    {"hook_event_name": "SubagentStop", "agent_id": "a1", "agent_type": "Explore", "stop_hook_active": False},
    {"hook_event_name": "TaskCreated", "task_id": "1", "task_subject": "Tidy"},
    {"hook_event_name": "TaskCompleted", "task_id": "1", "task_subject": "Tidy", "teammate_name": "bob"},
    {"hook_event_name": "TeammateIdle", "teammate_name": "bob", "team_name": "tidy"},
    {"hook_event_name": "MessageDisplay", "message": "Done."},
    {"hook_event_name": "Notification", "message": "Waiting for you", "notification_type": "idle_prompt"},
    {"hook_event_name": "ConfigChange", "source": "user_settings", "file_path": "/home/ann/.claude/settings.json"},
    {"hook_event_name": "CwdChanged", "old_cwd": "/home/ann/p", "new_cwd": "/home/ann/q"},
    {"hook_event_name": "DirectoryAdded", "directory": "/home/ann/q"},
    {"hook_event_name": "FileChanged", "file_path": "/home/ann/q/a.py", "event": "change"},
    {"hook_event_name": "WorktreeCreate", "name": "w1"},
    {"hook_event_name": "WorktreeRemove", "worktree_path": "/home/ann/w1"},
    {"hook_event_name": "PreCompact", "trigger": "auto", "custom_instructions": ""},
    {"hook_event_name": "PostCompact", "trigger": "auto", "summary": "…"},
    {"hook_event_name": "Elicitation", "server": "s", "schema": {"type": "object", "properties": {}}},
    {"hook_event_name": "ElicitationResult", "server": "s", "action": "accept", "content": None},
    {"hook_event_name": "Stop", "stop_hook_active": False, "last_assistant_message": "Done."},
    {"hook_event_name": "StopFailure", "error": "rate_limit"},
    {"hook_event_name": "SomethingOfNextYear", "new": {"deep": [1, 2.5, True, None, {"": ""}]}},
    {"hook_event_name": "SessionEnd", "reason": "prompt_input_exit"},
]
"""A session as a coding agent tells of it, with every kind of event there is, and one that there is not."""


async def test_a_session(house: Any) -> None:
    """All of a session's events come out on both topics as they came in, in their order."""
    topic = f"session:{_COMMON['session_id']}"
    sent = [{**_COMMON, **event} for event in SESSION]
    pubsub = house.obs.pubsub
    async with (
        pubsub.subscribe("events:stream") as stream,
        pubsub.subscribe(topic) as session,
        house.client() as client,
    ):
        for event in sent:
            response = await client.post("api/events", json=event)
            assert (response.status_code, response.content) == (204, b"")
        for events in (stream, session):
            got = [(await anext(events)).payload for _ in sent]
            assert [(one.name, one.data) for one in got] == [(one["hook_event_name"], one) for one in sent]
            assert {(type(one), one.session_id, one.agent) for one in got} == {(HookEvent, _COMMON["session_id"], None)}
    assert house.figures["events"] == {"accepted": len(sent), "refused": 0, "redacted": 0, "offered": 0}


async def test_presence_and_traces(house: Any) -> None:
    """Who tells of itself is there, until its session ends; what it does stands in the traces of its mail."""
    async with house.client() as client:
        receipt = await house.obs.mailbox.send_message("s-1", "bob", "hello")
        await client.post("api/events", json={"session_id": "s-1", "hook_event_name": "PreToolUse"})
        await wait_all_tasks_blocked()
        assert {one.name: one.status for one in house.obs.presence.list_agents()}["s-1"] == "active"
        [trace] = house.obs.traces.get_traces()
        assert (trace.id, [hop.detail for hop in trace.hops if hop.name == "event"]) == (
            receipt.message.id,
            ["PreToolUse"],
        )
        await client.post("api/events", json={"session_id": "s-1", "hook_event_name": "SessionEnd"})
        await wait_all_tasks_blocked()
        assert {one.name: one.status for one in house.obs.presence.list_agents()}["s-1"] == "gone"


async def test_replay(house: Any) -> None:
    """The latest events of a session can be had later."""
    async with house.client() as client:
        for number in range(5):
            event = {"session_id": "s-1", "hook_event_name": "Stop", "number": number}
            await client.post("api/events", json=event)
        async with house.obs.pubsub.subscribe("session:s-1", since=2) as events:
            got = [(await anext(events)).payload for _ in range(3)]
    assert [not isinstance(one, Gap) and one.data["number"] for one in got] == [2, 3, 4]


async def test_a_session_with_mail(house: Any) -> None:
    """Over a whole session its agent is there until the end, its mail is surfaced once, and all can be had later."""
    sent = [{**_COMMON, **event} for event in SESSION]
    obs, answers, seen = house.obs, {}, []
    async with house.client("ann") as client:
        for number, event in enumerate(sent):
            if event["hook_event_name"] == "PreToolUse" and not event.get("agent_id"):
                message = (await obs.mailbox.send_message("ann", "bob", "Look at the tests.")).message
            response = await client.post("api/events", json=event)
            if response.status_code == 200:
                answers[number] = response.json()["hookSpecificOutput"]
            await wait_all_tasks_blocked()
            seen.append(obs.presence.get_agent("ann").status)
    [(number, output)] = answers.items()
    assert (sent[number]["hook_event_name"], output["hookEventName"]) == ("PostToolUse", "PostToolUse")
    assert "Look at the tests." in output["additionalContext"]
    assert set(seen[:-1]) == {"active"}
    assert seen[-1] == "gone"
    trace = obs.traces.get_trace(message.id)
    assert [hop.detail for hop in trace.hops if hop.name == "surfaced"] == ["hook"]
    told = [event["hook_event_name"] for event in sent]
    assert [hop.detail for hop in trace.hops if hop.name == "event"] == told[told.index("PreToolUse") :]
    for topic in ("events:stream", f"session:{_COMMON['session_id']}"):
        async with obs.pubsub.subscribe(topic, since=0) as events:
            batch = await events.receive_batch()
        assert [one.payload.data for one in batch] == sent
        assert {(one.payload.agent, one.verified) for one in batch} == {("ann", True)}


async def test_only_the_latest_are_kept(open_house: Any) -> None:
    """Of each session the latest events are kept, as many as the settings say, and how many others there were."""
    tables = {"pubsub": PubSubSettings(replay_events=10)}
    async with open_house(tables=tables) as house, house.client() as client:
        for number in range(40):
            await client.post("api/events", json={"session_id": "s", "hook_event_name": "Stop", "number": number})
        async with house.obs.pubsub.subscribe("session:s", since=0) as events:
            gap, *batch = await events.receive_batch()
    assert isinstance(gap.payload, Gap)
    assert gap.payload.missed == 40 - len(batch)
    assert [one.payload.data["number"] for one in batch] == list(range(30, 40))


async def test_many_sessions(open_house: Any) -> None:
    """Of however many sessions there are, no more is kept than the settings say; the latest ones are."""
    most = 200_000
    async with open_house(tables={"pubsub": PubSubSettings(replay_bytes=most)}) as house, house.client() as client:
        for number in range(300):
            event = {"session_id": f"s-{number}", "hook_event_name": "PreToolUse", "tool_input": "x" * 2_000}
            assert (await client.post("api/events", json=event)).status_code == 204
        figures = house.obs.pubsub.statistics()
        assert figures.replay_bytes <= most
        async with house.obs.pubsub.subscribe("session:s-299", since=0) as events:
            assert (await anext(events)).payload.session_id == "s-299"
        async with house.obs.pubsub.subscribe("session:s-0", since=0) as events:
            assert isinstance((await anext(events)).payload, Gap)
