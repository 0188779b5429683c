"""Supervision: children that fail run again, a few times, and then the Observatory goes on without them, or ends."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeAlias

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import (
    ChildHealth,
    EssentialChildError,
    Health,
    Module,
    Observatory,
    Service,
    SupervisionSettings,
    open_observatory,
)
from observatory.testing import observatory_plugin

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]
NAME = "module:Fragile"


class Fragile(Module):
    """Fails so many times, each time after a while, before or after it is ready; then it runs."""

    def __init__(self, failures: int = 0, *, after: float = 0.0, ready: bool = True) -> None:
        self.failures = failures
        self.times: list[float] = []
        self._after = after
        self._ready = ready

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fail, or serve."""
        self.times.append(trio.current_time())
        if self.failures:
            self.failures -= 1
            if self._ready:
                task_status.started()
            await trio.sleep(self._after)
            raise ValueError(f"failure\nnumber {len(self.times)}")
        task_status.started()
        await trio.sleep_forever()

    @property
    def pauses(self) -> list[float]:
        """The seconds between a failure and the next start."""
        starts = zip(self.times, self.times[1:], strict=False)
        return [later - earlier - self._after for earlier, later in starts]


class EssentialModule(Fragile):
    """A module that Observatory cannot do without."""

    essential: ClassVar[bool] = True


class FragileService(Service):
    """A service that runs what a test wants."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run = run

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be ready, and run it."""
        task_status.started()
        await self._run()


@pytest.fixture
def open_with(bare_settings: Any) -> Open:
    """Return what opens an Observatory with one module, or one service, more."""

    def open_with(part: Module | Service, **supervision: Any) -> AbstractAsyncContextManager[Observatory]:
        settings = bare_settings(supervision=SupervisionSettings(**supervision))
        kind = "modules" if isinstance(part, Module) else "services"
        plugin: Any = observatory_plugin("fragile", **{kind: {"Fragile": lambda context: part}})  # type: ignore[arg-type]
        return open_observatory(settings, plugins=[plugin])

    return open_with


def child(health: Health, name: str = NAME) -> ChildHealth:
    """Return the health of one child."""
    return next(child for child in health.children if child.name == name)


async def test_children_in_the_order_of_their_start(open_with: Open) -> None:
    """Everything that runs is a child, and is running when the Observatory is open."""
    async with open_with(Fragile()) as observatory:
        health = observatory.health()
    names = ["Mailbox", "SwarmMonitor", "ProtocolTracker", "Notes", "Presence"]
    canonical = [f"module:{name}" for name in names]
    assert [child.name for child in health.children] == [*canonical, NAME]
    assert all(child == ChildHealth(child.name, "running", 0, None) for child in health.children)
    assert health.healthy
    assert health.broken_plugins == {}


async def test_after_closing(open_with: Open) -> None:
    """Nothing runs any more, so nothing is said to run, and the Observatory is not healthy."""
    async with open_with(Fragile()) as observatory:
        pass
    health = observatory.health()
    assert {child.state for child in health.children} == {"finished"}
    assert not health.healthy


async def test_a_child_that_had_failed_before_closing(open_with: Open, autojump_clock: MockClock) -> None:
    """It stays failed."""
    async with open_with(Fragile(6)) as observatory:
        await trio.sleep(60)
    assert child(observatory.health()) == ChildHealth(NAME, "failed", 5, "ValueError: failure number 6")


async def test_a_child_that_fails_runs_again(open_with: Open, autojump_clock: MockClock) -> None:
    """After a failure comes a pause, then the child is started again, and its last failure is remembered."""
    module = Fragile(1)
    async with open_with(module) as observatory:
        await trio.sleep(0.01)
        assert child(observatory.health()) == ChildHealth(NAME, "backing-off", 0, "ValueError: failure number 1")
        assert observatory.health().healthy
        await trio.sleep(1)
        assert child(observatory.health()) == ChildHealth(NAME, "running", 1, "ValueError: failure number 1")


async def test_pauses_double(open_with: Open, autojump_clock: MockClock) -> None:
    """The pauses double from 0.1 s, with jitter below."""
    module = Fragile(5)
    async with open_with(module):
        await trio.sleep(10)
    limits = [0.1, 0.2, 0.4, 0.8, 1.6]
    assert all(top / 2 <= pause <= top + 1e-9 for pause, top in zip(module.pauses, limits, strict=True))


async def test_more_than_five_failures(open_with: Open, autojump_clock: MockClock) -> None:
    """The sixth failure within 30 s is the last; the application goes on, and its health says so."""
    module = Fragile(6)
    async with open_with(module) as observatory:
        await trio.sleep(60)
        assert len(module.times) == 6
        assert child(observatory.health()) == ChildHealth(NAME, "failed", 5, "ValueError: failure number 6")
        assert not observatory.health().healthy
        await observatory.mailbox.send_message("a", "b", "still here")


async def test_failures_far_apart(open_with: Open, autojump_clock: MockClock) -> None:
    """Failures that are not within 30 s of each other are forgiven, and pauses begin anew."""
    module = Fragile(20, after=20.0)
    async with open_with(module) as observatory:
        await trio.sleep(1_000)
        assert child(observatory.health()).restarts == 20
    assert max(module.pauses) <= 0.2


async def test_other_limits(open_with: Open, autojump_clock: MockClock) -> None:
    """How many failures a child may have within which time is a setting; none at all is possible."""
    module = Fragile(2)
    async with open_with(module, max_failures=0) as observatory:
        await trio.sleep(60)
        assert child(observatory.health()).state == "failed"
    assert len(module.times) == 1


async def test_failing_before_it_is_ready(open_with: Open, autojump_clock: MockClock) -> None:
    """Opening waits until a child is ready, through its failures."""
    module = Fragile(3, ready=False)
    async with open_with(module) as observatory:
        assert child(observatory.health()) == ChildHealth(NAME, "running", 3, "ValueError: failure number 3")


async def test_never_ready(open_with: Open, autojump_clock: MockClock) -> None:
    """A child that has failed for good does not keep the Observatory from opening."""
    async with open_with(Fragile(100, ready=False)) as observatory:
        assert child(observatory.health()).state == "failed"


async def test_an_essential_child_ends_the_application(open_with: Open, autojump_clock: MockClock) -> None:
    """When an essential child has failed for good, the block is cancelled and the error comes out, unwrapped."""
    module = EssentialModule(100)
    with pytest.raises(
        EssentialChildError, match=f"{NAME} has failed for good .* ValueError: failure number 6"
    ) as info:
        async with open_with(module):
            await trio.sleep_forever()
    assert info.value.child == NAME
    assert isinstance(info.value.__cause__, ValueError)
    assert len(module.times) == 6


async def test_an_essential_child_that_is_never_ready(open_with: Open, autojump_clock: MockClock) -> None:
    """The error comes out of opening, with its cause."""
    with pytest.raises(EssentialChildError) as info:
        async with open_with(EssentialModule(100, ready=False)):
            pytest.fail("it has opened")
    assert isinstance(info.value.__cause__, ValueError)


async def test_a_few_failures_of_an_essential_child(open_with: Open, autojump_clock: MockClock) -> None:
    """Up to the limit an essential child is run again like any other."""
    async with open_with(EssentialModule(5)) as observatory:
        await trio.sleep(20)
        assert child(observatory.health()).state == "running"


async def test_topic(open_with: Open, autojump_clock: MockClock) -> None:
    """Every change is told on `health:update`, with the health of everything."""
    async with (
        open_with(Fragile(2, after=1.0), max_failures=1) as observatory,
        observatory.pubsub.subscribe("health:update", since=0) as subscription,
    ):
        await trio.sleep(10)
        events = await subscription.receive_batch()
        assert events[-1].payload == observatory.health()
    states = [child.state for event in events for child in event.payload.children if child.name == NAME]
    assert states == ["running", "backing-off", "starting", "running", "failed"]


async def test_logged(open_with: Open, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """A failure is logged in one line, with its traceback."""
    async with open_with(Fragile(1)):
        await trio.sleep(1)
    (record,) = [record for record in caplog.records if record.name == "observatory.supervisor"]
    assert (record.levelno, record.getMessage()) == (logging.ERROR, f"{NAME} failed: ValueError: failure number 1")
    assert record.exc_info is not None


async def test_a_failure_in_a_group(open_with: Open, autojump_clock: MockClock) -> None:
    """What fails in a child's own nursery is a failure of the child, and told as what it is."""

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            raise KeyError("inside")

    async with open_with(FragileService(run)) as observatory:
        await wait_all_tasks_blocked()
        assert child(observatory.health(), "service:Fragile").error == "KeyError: 'inside'"


async def test_a_child_that_ends(open_with: Open) -> None:
    """A child that returns is finished, and not started again."""
    async with open_with(FragileService(trio.lowlevel.checkpoint)) as observatory:
        await wait_all_tasks_blocked()
        assert child(observatory.health(), "service:Fragile").state == "finished"
        assert observatory.health().healthy


async def fail_in_a_nursery() -> None:
    """Fail at being cancelled, in a nursery: what comes out holds the failure beside what Trio raises."""

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("while cleaning up")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail_when_cancelled)
        await trio.sleep_forever()


async def test_failing_while_it_is_cancelled(open_with: Open, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in a child that is shut down is logged, and does not come out of the block."""
    async with open_with(FragileService(fail_in_a_nursery)):
        await wait_all_tasks_blocked()
    assert "service:Fragile failed while it was cancelled: KeyError: 'while cleaning up'" in caplog.messages


async def test_failing_while_everything_is_cancelled(open_with: Open, caplog: pytest.LogCaptureFixture) -> None:
    """The same when the cancellation comes from around the block, and that one goes on its way."""
    with trio.CancelScope() as scope:
        async with open_with(FragileService(fail_in_a_nursery)):
            await wait_all_tasks_blocked()
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert "service:Fragile failed while it was cancelled: KeyError: 'while cleaning up'" in caplog.messages


@pytest.mark.parametrize("error", [SystemExit(3), BaseExceptionGroup("two", [SystemExit(3), ValueError()])])
async def test_not_every_exception_is_a_failure(open_with: Open, error: BaseException) -> None:
    """What is meant to end the program ends it, from wherever it is raised."""

    async def leave() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    with pytest.raises(type(error)) as info:
        async with open_with(FragileService(leave)):
            await trio.sleep_forever()
    assert info.value is error or info.value.args == error.args
