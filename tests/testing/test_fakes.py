"""Fakes and fixtures, in a real Observatory."""

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    Draft,
    Dropped,
    Failed,
    Job,
    Module,
    Policy,
    PolicyRefusedError,
    Service,
    Settings,
    StorageError,
    StorageSettings,
    TrioClock,
    open_observatory,
)
from observatory.testing import FailingChannel, FailingStorage, RecordingChannel, StuckChannel, observatory_plugin
from observatory.testing.fixtures import (
    observatory_root as observatory_root,
    observatory_settings as observatory_settings,
    wall_clock as wall_clock,
)
from observatory.testing.samples import posts


async def test_recording_channel(observatory_settings: Settings, wall_clock: TrioClock) -> None:
    """It keeps every job, and the messages that are posted and not retracted."""
    channel = RecordingChannel()
    plugin = observatory_plugin("mine", channels={"record": lambda context: channel})
    async with open_observatory(observatory_settings, plugins=[plugin], clock=wall_clock) as obs:
        first = await obs.mailbox.send_message("a", "b", "one", require=["record"])
        second = await obs.mailbox.send_message("a", "b", "two", require=["record"])
        assert channel.delivered == [first.message, second.message]
        await obs.mailbox.mark_read("a", first.message.id)
    assert channel.delivered == [second.message]
    assert (len(channel.jobs), channel.ids("a")) == (3, [second.message.id])


async def test_recording_a_marker() -> None:
    """That posts are missing is kept as a job too."""
    channel = RecordingChannel()
    await channel.deliver([Dropped(3)])
    assert channel.jobs == [Dropped(3)]


async def test_stuck_channel(observatory_settings: Settings, autojump_clock: MockClock) -> None:
    """It never comes back; what it was given is undelivered when Observatory is closed."""
    channel = StuckChannel()
    plugin = observatory_plugin("mine", channels={"stuck": lambda context: channel})
    async with open_observatory(observatory_settings, plugins=[plugin]) as obs:
        await obs.mailbox.send_message("a", "b", "one")
        await wait_all_tasks_blocked()
    assert (channel.calls, obs.undelivered) == (1, 1)


async def test_failing_channel(observatory_settings: Settings, autojump_clock: MockClock) -> None:
    """It fails so many times for each recipient, and delivers at the next attempt."""
    channel = FailingChannel(2)
    plugin = observatory_plugin("mine", channels={"failing": lambda context: channel})
    async with open_observatory(observatory_settings, plugins=[plugin]) as obs:
        await obs.mailbox.send_message("a", "b", "one")
        await obs.mailbox.send_message("c", "b", "two")
    assert sorted(message.to for message in channel.delivered) == ["a", "c"]
    assert obs.statistics().lanes["failing"].failures == 4


async def test_failing_for_one() -> None:
    """Who fails, and how often, can be changed at will."""
    channel = FailingChannel(0, permanent=True)
    channel.left["a"] = 1
    batch: list[Job] = [*posts("a", "b"), Dropped(1)]
    outcomes = await channel.deliver(batch)
    assert outcomes[0] == Failed("planned by the test", permanent=True)
    assert [message.to for message in channel.delivered] == ["b"]
    await channel.deliver(batch)
    assert channel.ids("a")


async def test_raising_channel() -> None:
    """It can raise for the whole batch."""
    channel = FailingChannel(1, raises=OSError("no room"))
    batch = posts("a")
    with pytest.raises(OSError, match="no room"):
        await channel.deliver(batch)
    await channel.deliver(batch)
    assert channel.ids("a") == [batch[0].message.id]


async def test_failing_storage(observatory_settings: Settings) -> None:
    """Told to fail, it commits nothing and says so."""
    storage = FailingStorage()
    plugin = observatory_plugin("mine", storage={"failing": lambda context: storage})
    settings = attrs.evolve(observatory_settings, storage=StorageSettings(backend="failing"))
    async with open_observatory(settings, plugins=[plugin]) as obs:
        storage.failing = True
        with pytest.raises(StorageError, match="planned by the test"):
            await obs.mailbox.send_message("a", "b", "one")
        storage.failing = False
        await obs.mailbox.send_message("a", "b", "two")
        assert [message.content for message in obs.mailbox.get_messages("a")] == ["two"]
    assert storage.failures == 1


class Idle(Module):
    """A module that does nothing."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait until cancelled."""
        task_status.started()
        await trio.sleep_forever()


class IdleService(Service):
    """A service that does nothing."""

    run = Idle.run


@attrs.frozen
class Own:
    """Settings of a plugin made on the spot."""

    size: int = 1


async def test_plugin(observatory_settings: Settings) -> None:
    """A plugin made on the spot registers every kind, and reads its settings."""
    seen: list[Own] = []

    def make(context: object) -> Idle:
        seen.append(context.settings)  # type: ignore[attr-defined]
        return Idle()

    plugin = observatory_plugin(
        "mine",
        settings_class=Own,
        storage={"s": lambda context: FailingStorage()},
        modules={"m": make},
        services={"v": lambda context: IdleService()},
        policies={"p": refuse},
        checks={"c": lambda context: pytest.fail("nobody has asked what is wrong")},
        commands={"g": lambda: pytest.fail("no command line is here")},
    )
    settings = attrs.evolve(observatory_settings, plugins={"mine": {"size": 7}})
    async with open_observatory(settings, plugins=[plugin]) as obs:
        [info] = [info for info in obs.plugins() if info.name == "mine"]
        assert info.registered == ("storage backend s", "module m", "service v", "policy p", "check c", "command g")
        assert isinstance(obs.module(Idle), Idle)
        assert isinstance(obs.service(IdleService), IdleService)
        with pytest.raises(PolicyRefusedError, match="refused by policy 'p': never"):
            await obs.mailbox.send_message("a", "b", "c")
    assert seen == [Own(7)]


def test_root(tmp_path: Path, observatory_root: Path, observatory_settings: Settings) -> None:
    """The root is the test's own, and is not there yet."""
    assert observatory_settings.root == observatory_root
    assert observatory_root.parent == tmp_path
    assert not observatory_root.exists()


def _refuse(draft: Draft) -> Draft:
    raise PolicyRefusedError("p", "never")


refuse: Policy = _refuse
