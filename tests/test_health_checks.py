"""What is wrong with an Observatory that is open: the checks in the box, and when they are asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    Check,
    Concern,
    Context,
    DeliverySettings,
    Finding,
    Observatory,
    ObservatoryError,
    SupervisionSettings,
    SwarmSettings,
    TrioClock,
    examine,
    open_observatory,
)
from observatory.health_checks import HEALTH_CHECKS
from observatory.script_check import ScriptCheck
from observatory.testing import FailingChannel, StuckChannel, observatory_plugin


async def found_by(name: str, obs: Observatory) -> list[Finding]:
    """Return what a check finds in an Observatory."""
    modules: Any = {"Mailbox": obs.mailbox, "SwarmMonitor": obs.swarm, "Presence": obs.presence}
    context = Context(obs.settings.root, obs.clock, obs.pubsub, None, modules, {}, observatory=obs)
    return list(await HEALTH_CHECKS[name](context).run())


@pytest.mark.parametrize("name", HEALTH_CHECKS)
async def test_nothing_wrong(bare_settings: Any, name: str) -> None:
    """Where nothing is wrong nothing is found."""
    async with open_observatory(bare_settings()) as obs:
        assert await found_by(name, obs) == []


async def test_the_doctor_finds_nothing(bare_settings: Any) -> None:
    """Where no Observatory is open there is nothing that these could look at."""
    assert [each for each in await examine(bare_settings()) if each.check in HEALTH_CHECKS] == []


async def test_mailbox_backlog(bare_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox with very many unread messages is named, with what to do."""
    monkeypatch.setattr("observatory.health_checks.BACKLOG", 3)
    async with open_observatory(bare_settings()) as obs:
        for to in ("ann", "cid", "ann", "cid", "cid"):
            await obs.mailbox.send_message(to, "bob", "")
        [finding] = await found_by("mailbox-backlog", obs)
    assert (finding.subject, finding.problem) == ("mailbox cid", "3 messages are unread")
    assert finding.remedy.endswith("observatory inbox cid")


async def test_as_many_as_can_be_read(bare_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check finds twenty things at most."""
    monkeypatch.setattr("observatory.health_checks.BACKLOG", 1)
    async with open_observatory(bare_settings()) as obs:
        await obs.mailbox.broadcast_to_many([f"agent-{number}" for number in range(30)], "b", "")
        assert len(await found_by("mailbox-backlog", obs)) == 20


async def test_silent_agents(bare_settings: Any, mock_clock: MockClock) -> None:
    """An agent who has left mail unread for more than ten minutes is named, with what else is known of it."""
    async with open_observatory(bare_settings(), clock=TrioClock()) as obs:
        await obs.mailbox.send_message("ann", "bob", "")
        await obs.mailbox.send_message("bob", "bob", "")
        mock_clock.jump(600)
        await obs.mailbox.send_message("cid", "bob", "")
        mock_clock.jump(1)
        ann, bob = await found_by("silent-agents", obs)
    assert (ann.subject, ann.problem) == (
        "agent ann",
        "has left mail unread for 10 minutes, and nobody has heard of it",
    )
    assert (bob.subject, bob.problem) == ("agent bob", "has left mail unread for 10 minutes, and is active")


async def test_agents_that_are_gone(bare_settings: Any) -> None:
    """One that is gone is named at once when it has mail: it will not read it."""
    async with open_observatory(bare_settings()) as obs:
        await obs.mailbox.send_message("ann", "bob", "")
        obs.presence.known.end("ann", obs.clock.now())
        [finding] = await found_by("silent-agents", obs)
    assert (finding.subject, finding.problem) == ("agent ann", "has left mail unread for 0 minutes, and is gone")


async def test_lanes(bare_settings: Any, autojump_clock: MockClock) -> None:
    """A delivery channel that fails, and one that does not keep up, are named."""
    plugin = observatory_plugin(
        "test",
        channels={"failing": lambda _: FailingChannel(times=1_000), "stuck": lambda _: StuckChannel()},
    )
    settings = bare_settings(delivery=DeliverySettings(required=(), lane_capacity=10, batch_size=1))
    async with open_observatory(settings, plugins=[plugin]) as obs:
        for number in range(9):
            await obs.mailbox.send_message(f"agent-{number}", "b", "")
        await wait_all_tasks_blocked()
        found = await found_by("lanes", obs)
        problems = {finding.subject: finding.problem for finding in found}
        assert "deliveries wait for another attempt: " in problems["delivery channel failing"]
        assert problems["delivery channel stuck"] == "9 of 10 places are taken"


async def test_dead_letters(bare_settings: Any, autojump_clock: MockClock) -> None:
    """Deliveries that were given up are counted."""
    plugin = observatory_plugin("test", channels={"failing": lambda _: FailingChannel(times=1_000)})
    settings = bare_settings(delivery=DeliverySettings(required=(), retry_attempts=1))
    async with open_observatory(settings, plugins=[plugin]) as obs:
        await obs.mailbox.send_message("ann", "b", "")
        await trio.sleep(60)
        [finding] = await found_by("dead-letters", obs)
    assert finding.problem == "1 deliveries were given up"


async def test_stale_tasks(bare_settings: Any, tmp_path: Path) -> None:
    """Tasks of which nothing is heard are named by their project."""
    (tmp_path / "tasks.jsonl").write_text('{"id": "a", "status": "in_progress"}\n')
    well = tmp_path / "well"
    well.mkdir()
    (well / "tasks.jsonl").write_text('{"id": "a", "status": "pending"}\n')
    async with open_observatory(bare_settings()) as obs:
        await obs.swarm.add_project(str(well))
        project = await obs.swarm.add_project(str(tmp_path))
        [finding] = await found_by("stale-tasks", obs)
    assert finding.subject == f"project {project}"
    assert finding.problem == "1 tasks are in progress, and nothing is heard of them: 'a'"
    assert finding.remedy == f"observatory swarm reset-stale --project {project}"


class Fragile(Check):
    """Finds one thing more each time; in between it fails as it is told."""

    interval: ClassVar[float | None] = 5.0

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self._round = 0

    async def run(self) -> Sequence[Finding]:
        """Look."""
        await trio.lowlevel.checkpoint()
        self._round += 1
        if self._failures:
            raise self._failures.pop()
        return [Finding("it", f"wrong {self._round} times", "mend it")]


class Idle(Fragile):
    """One that only the doctor asks."""

    interval: ClassVar[float | None] = None


async def test_in_its_time(bare_settings: Any, autojump_clock: MockClock) -> None:
    """A check with an interval is asked that often, and what it finds stands in the state; others are not asked."""
    plugin = observatory_plugin("test", checks={"fragile": lambda _: Fragile(), "idle": lambda _: Idle()})
    settings = bare_settings(swarm=SwarmSettings())
    autojump_clock.autojump_threshold = 0.05  # what the swarm is read in are threads, which a jump does not wait for
    async with open_observatory(settings, plugins=[plugin]) as obs, obs.pubsub.subscribe("swarm:update") as updates:
        start = trio.current_time()
        await trio.sleep(1)
        assert obs.swarm.get_state().health == (Concern("fragile", "it", "wrong 1 times", "mend it"),)
        async for event in updates:
            if event.payload.health[0].problem == "wrong 3 times":
                break
        assert 9.9 < trio.current_time() - start < 11.1


async def test_failures(bare_settings: Any, autojump_clock: MockClock) -> None:
    """One that cannot look is a concern itself; one that is broken is started again, and takes nobody with it."""
    checks = {
        "blind": lambda _: Fragile(OSError("no such disk")),
        "broken": lambda _: Fragile(ValueError("a bug")),
    }
    settings = bare_settings(swarm=SwarmSettings(), supervision=SupervisionSettings(max_failures=0))
    async with open_observatory(settings, plugins=[observatory_plugin("test", checks=checks)]) as obs:
        await trio.sleep(1)
        [concern] = obs.swarm.get_state().health
        assert (concern.check, concern.problem) == ("blind", "could not look: OSError: no such disk")
        failed = [child.name for child in obs.health().children if child.state == "failed"]
        assert failed == ["check:broken"]


def script(code: str) -> ScriptCheck:
    """Return a check that is a program."""
    return ScriptCheck([sys.executable, "-c", code])


async def test_a_program() -> None:
    """What a program prints is what it finds; texts of several lines are made one."""
    found = [
        {"subject": "disk", "problem": "95 %\nfull", "remedy": "\x1b[2J"},
        {"subject": "", "problem": "", "remedy": ""},
    ]
    assert await script(f"print({json.dumps(json.dumps(found))})").run() == [
        Finding("disk", "95 % full", "'\\x1b[2J'"),
        Finding("''", "''", "''"),
    ]
    assert await script("print([])").run() == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(3)", "has ended with exit code 3"),
        ("print('nonsense')", "has printed something else than a list of findings: "),
        ("print('[{}]')", r"has printed something else than a list of findings: printed\[0\]"),
        ("print(' ' * 2_000_000)", "has printed more than 1,048,576 bytes"),
    ],
)
async def test_a_program_that_fails(code: str, words: str) -> None:
    """It is an error that says how."""
    with pytest.raises(ObservatoryError, match=words):
        await script(code).run()


async def test_no_program() -> None:
    """So is one that is not there."""
    with pytest.raises(OSError, match="nowhere"):
        await ScriptCheck(["/nowhere/check"]).run()


async def test_a_program_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended."""
    monkeypatch.setattr("observatory.script_check._PATIENCE", 0.2)
    with pytest.raises(ObservatoryError, match=r"has not ended within 0\.2 s, and was ended"):
        await script("import time; time.sleep(1000)").run()


async def test_programs_in_the_settings(bare_settings: Any) -> None:
    """A program that the settings name is asked like any check."""
    found = json.dumps([{"subject": "disk", "problem": "full", "remedy": "empty it"}])
    command = (sys.executable, "-c", f"print({found!r})")
    settings = bare_settings(swarm=SwarmSettings(checks={"disk": command}))
    async with open_observatory(settings) as obs, obs.pubsub.subscribe("swarm:update") as updates:
        with trio.fail_after(30):
            await anext(updates)
        assert obs.swarm.get_state().health == (Concern("disk", "disk", "full", "empty it"),)
