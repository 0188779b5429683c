"""The suite for services passes one that keeps the laws, and finds those that do not."""

import os
from collections.abc import Awaitable, Callable

import pytest
import trio

from observatory import Service, ServiceFactory
from observatory.testing import ServiceConformance


class Echo(Service):
    """Keeps the laws: sends back what it is sent, on a socket of its own."""

    def __init__(self) -> None:
        self.port = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        async with listener:
            task_status.started()
            await trio.serve_listeners(self.echo, [listener])

    async def echo(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        async for data in stream:
            await stream.send_all(data)


class TestEcho(ServiceConformance):
    """A server on a socket."""

    @pytest.fixture
    def service_factory(self) -> ServiceFactory:
        """Return what makes one."""
        return lambda context: Echo()

    async def use(self, service: Service) -> None:
        """Send something and get it back."""
        assert isinstance(service, Echo)
        async with await trio.open_tcp_stream("127.0.0.1", service.port) as stream:
            await stream.send_all(b"hello")
            assert await stream.receive_some() == b"hello"


class Returns(Service):
    """Ends by itself."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be ready, and end."""
        task_status.started()
        await trio.lowlevel.checkpoint()


class RunsOnce(Service):
    """Is no use a second time."""

    ran = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run, the first time."""
        assert not self.ran, "it has run before"
        self.ran = True
        task_status.started()
        await trio.sleep_forever()


class LeavesFile(Service):
    """Leaves a file open."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open it."""
        opened.append(os.open(os.devnull, os.O_RDONLY))
        task_status.started()
        await trio.sleep_forever()


class LeavesTask(Service):
    """Leaves a task running."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start it where nothing ends it."""
        trio.lowlevel.spawn_system_task(trio.sleep_forever)
        task_status.started()
        await trio.sleep_forever()


opened: list[int] = []


@pytest.fixture(autouse=True)
def _close() -> object:
    yield
    while opened:
        os.close(opened.pop())


class Suite(ServiceConformance):
    """Uses nothing."""


@pytest.mark.parametrize(
    ("law", "kind", "finding"),
    [
        (Suite().test_runs_until_cancelled, Returns, "run returned although nobody cancelled it"),
        (Suite().test_runs_again, RunsOnce, "it has run before"),
        (Suite().test_gives_back, LeavesFile, "something is left of it"),
        (Suite().test_gives_back, LeavesTask, "something is left of it"),
    ],
)
async def test_broken(
    law: Callable[..., Awaitable[None]],
    kind: Callable[[], Service],
    finding: str,
    broken: Callable[..., Awaitable[str]],
) -> None:
    """A law that is broken is found, by the test of that law."""
    assert finding in await broken(law, kind)
