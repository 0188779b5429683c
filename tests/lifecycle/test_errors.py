"""What comes out of the block: its own exception as itself, or the failure that ended it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from observatory import EssentialChildError, MemoryStorage, Module, StorageError
from observatory.testing import StuckChannel

Open = Callable[..., Any]


class Doomed(Module):
    """An essential module that fails for good after a second."""

    essential = True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fail."""
        task_status.started()
        await trio.sleep(0.1)
        raise RuntimeError("doomed")


class BrokenStorage(MemoryStorage):
    """Cannot be flushed."""

    async def flush(self) -> None:
        """Fail."""
        raise StorageError("no disk")


class MyGroup(ExceptionGroup[ValueError]):
    """A group of somebody's own."""

    def derive(self, errors: Sequence[ValueError]) -> "MyGroup":  # type: ignore[override]
        """Stay what it is where it is taken apart."""
        return MyGroup(self.message, errors)


ERRORS = [
    ValueError("body"),
    ExceptionGroup("body", [ValueError(), KeyError()]),
    MyGroup("body", [ValueError()]),
    SystemExit(3),
    BaseExceptionGroup("body", [SystemExit(3)]),
]


async def fail_inside(opening: Any, error: BaseException, before: Callable[[], None]) -> None:
    """Open an Observatory, send something, do what a test wants, and raise."""
    async with opening as observatory:
        await observatory.mailbox.send_message("a", "b", "hello")
        before()
        raise error


@pytest.mark.parametrize("error", ERRORS)
async def test_the_blocks_exception(open_with: Open, error: BaseException) -> None:
    """What the block raises comes out as itself."""
    with pytest.raises(type(error)) as info:
        async with open_with():
            raise error
    assert info.value is error


@pytest.mark.parametrize("error", ERRORS)
async def test_the_blocks_exception_while_cancelled(open_with: Open, error: BaseException) -> None:
    """The same when somebody around cancels."""
    with trio.CancelScope() as scope:
        with pytest.raises(type(error)) as info:
            await fail_inside(open_with(channel=StuckChannel()), error, scope.cancel)
        assert info.value is error


async def test_the_blocks_exception_while_it_drains(open_with: Open, autojump_clock: MockClock) -> None:
    """A cancellation that comes while the lanes drain does not replace it."""
    scope = trio.CancelScope()

    def cancel_soon() -> None:
        scope.deadline = trio.current_time() + 1

    with pytest.raises(ValueError, match="body"), scope:
        await fail_inside(open_with(channel=StuckChannel()), ValueError("body"), cancel_soon)
    assert trio.current_time() == scope.deadline


async def test_a_group_that_holds_a_cancellation(open_with: Open) -> None:
    """What a nursery in the block raises comes out with everything in it, less what was cancelled from around."""

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("cleaning up")

    with pytest.RaisesGroup(KeyError), trio.CancelScope() as scope:
        async with open_with(), trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            await wait_all_tasks_blocked()
            scope.cancel()
            await trio.sleep_forever()


async def test_cancelled(open_with: Open) -> None:
    """A cancelled block is just that to whoever cancels it."""
    with trio.CancelScope() as scope:
        async with open_with():
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_doomed_module_beside_the_blocks_exception(open_with: Open, autojump_clock: MockClock) -> None:
    """Where two things have failed, both come out."""
    with pytest.RaisesGroup(KeyError, EssentialChildError):
        async with open_with(module=Doomed()):
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("cleaning up")


async def test_a_doomed_module_beside_a_group(open_with: Open, autojump_clock: MockClock) -> None:
    """The same where the block's own nursery was cancelled by it."""

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("cleaning up")

    with pytest.RaisesGroup(EssentialChildError, pytest.RaisesGroup(KeyError)):
        async with open_with(module=Doomed()), trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            await trio.sleep_forever()


async def test_a_doomed_module_and_storage_that_fails(open_with: Open, autojump_clock: MockClock) -> None:
    """Storage that cannot be flushed, as may be the cause of it all, does not hide which child has failed."""
    with pytest.raises(EssentialChildError):
        async with open_with(BrokenStorage(), module=Doomed()):
            await trio.sleep_forever()
