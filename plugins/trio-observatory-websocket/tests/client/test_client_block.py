"""What comes out of the block in which a client is open, and what is left after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client
from trio.testing import wait_all_tasks_blocked

from observatory import (
    ClosedError,
    Settings,
    open_observatory,
)
from observatory.testing import cancel_at_every_checkpoint
from observatory.testing.services import resources

MakeSettings = Callable[..., Settings]
Until = Callable[[Callable[[], object]], Awaitable[None]]


async def opened(*args: Any, **options: Any) -> None:
    """Open a client and close it."""
    async with open_client(*args, **options) as client:
        await client.health()


async def test_own_error(settings: MakeSettings) -> None:
    """An error of the block comes out as itself, with its cause, and so does a group."""
    async with open_observatory(settings()) as observatory:
        cause = KeyError("cause")
        for error in (ValueError("mine"), ExceptionGroup("mine", [ValueError()]), KeyboardInterrupt(), SystemExit(3)):
            error.__cause__ = cause
            with pytest.raises(type(error)) as raised:
                async with open_client(root=observatory.settings.root):
                    raise error
            assert raised.value is error
            assert error.__cause__ is cause


async def test_cancelled_block(settings: MakeSettings) -> None:
    """Being cancelled comes out as that, alone or beside another error."""
    async with open_observatory(settings()) as observatory:
        with trio.CancelScope() as scope:
            try:
                async with open_client(root=observatory.settings.root):
                    scope.cancel()
                    await trio.sleep_forever()
            except trio.Cancelled:
                reached = True
                raise
        assert reached
        assert scope.cancelled_caught
        both = None
        with trio.CancelScope() as scope:  # noqa: ASYNC912 -- opening is one
            try:
                async with open_client(root=observatory.settings.root):
                    scope.cancel()
                    both = await cancelled_and_failed()
                    raise both
            except BaseExceptionGroup as group:
                raised = group
        assert raised is both


async def cancelled_and_failed() -> BaseExceptionGroup[BaseException]:
    """Be cancelled, and return that beside another error."""
    try:
        await trio.sleep_forever()
    except trio.Cancelled as cancelled:  # noqa: ASYNC103 -- raised by the caller
        return BaseExceptionGroup("mine", [cancelled, ValueError("mine")])  # noqa: ASYNC104
    raise AssertionError


async def test_cancelled_everywhere(settings: MakeSettings, until: Until) -> None:
    """Opening can be cancelled at any point, and nothing is left."""
    async with open_observatory(settings()) as observatory:
        await opened(root=observatory.settings.root)
        await wait_all_tasks_blocked(0.01)
        before = resources()

        async def check() -> None:
            await until(lambda: resources() == before)

        assert await cancel_at_every_checkpoint(lambda: opened(root=observatory.settings.root), check) > 5


async def test_closed(settings: MakeSettings) -> None:
    """After the block, the client says that it is closed, and lets everybody go who waits."""
    async with open_observatory(settings()) as observatory, trio.open_nursery() as nursery:
        ends: list[object] = []

        async def wait(client: WebSocketClient) -> None:
            try:
                await client.mailbox.receive("nobody")
            except ClosedError as error:
                ends.append(error)

        async def read(client: WebSocketClient) -> None:
            subscription = await client.subscribe("x")
            ends.append([event async for event in subscription])
            await subscription.aclose()

        async with open_client(root=observatory.settings.root) as client:
            nursery.start_soon(wait, client)  # noqa: ASYNC111 -- that is what is tested
            nursery.start_soon(read, client)  # noqa: ASYNC111
            await wait_all_tasks_blocked(0.01)
        for call in (client.health(), client.subscribe("x"), client.notes.list_notes()):
            with pytest.raises(ClosedError, match="this client is closed"):
                await call
    assert sorted(map(str, ends)) == ["[]", "this client is closed"]
