"""What modules and services of plugins expose, and what happens when it fails."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import attrs
import pytest
import trio

from observatory import Identity, InvalidInputError, Module, PolicyRefusedError, Service
from observatory.testing import observatory_plugin


@attrs.frozen
class _Task:
    """A task."""

    name: str
    """What it is called."""
    urgent: bool = False
    """Whether it is."""


class _OwnError(PolicyRefusedError):
    """A plugin's own error."""


class _Board(Module):
    """A board of tasks."""

    exposes: ClassVar = ("add", "names", "wait", "refuse", "fail", "crash", "garbage", "unwritable", "whoami")

    def __init__(self) -> None:
        self.tasks: list[_Task] = []

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait."""
        task_status.started()
        await trio.sleep_forever()

    def add(self, task: _Task, *, first: bool = False) -> _Task:
        """Put a task on the board."""
        self.tasks.insert(0 if first else len(self.tasks), task)
        return task

    def names(self) -> list[str]:
        """Name the tasks."""
        return [task.name for task in self.tasks]

    def whoami(self, *, identity: Identity | None = None) -> str | None:
        """Tell who asks."""
        return None if identity is None else identity.name

    async def wait(self) -> None:
        """Wait for a moment."""
        await trio.sleep(0.01)

    def refuse(self) -> None:
        """Refuse, with a word that UTF-8 can hold."""
        raise _OwnError("board", "full")

    def fail(self) -> None:
        """Fail with an error that UTF-8 cannot hold."""
        raise InvalidInputError("task", "\ud800")

    async def crash(self) -> None:
        """Fail in a way that nobody foresees."""
        raise ZeroDivisionError("a secret of the service")

    def garbage(self) -> Any:
        """Return what JSON cannot hold."""
        return {"board": self}

    def unwritable(self) -> str:
        """Return what UTF-8 cannot hold."""
        return "\ud800"

    def hidden(self) -> None:
        """Do what is offered to nobody."""


class _Desk(Service):
    """A service that is told who asks."""

    exposes: ClassVar = ("whoami",)

    run = _Board.run

    whoami = _Board.whoami


_PLUGIN = observatory_plugin(
    "board", modules={"Board": lambda context: _Board()}, services={"desk": lambda context: _Desk()}
)


@pytest.fixture
async def client(open_house: Any) -> AsyncIterator[Any]:
    """Return a client that can still ask for something at the end."""
    async with open_house(plugins=(_PLUGIN,)) as house, house.client() as client:
        yield client
        assert (await client.call("health.get"))["healthy"]


async def _refusal(client: Any, method: str, params: Any = None, module: str = "Board") -> Any:
    return await client.refusal("modules.call", module=module, method=method, params=params)


async def test_call(client: Any) -> None:
    """A method that is exposed is called with values of its kinds."""
    task = {"name": "read", "urgent": True}
    assert await client.call("modules.call", module="Board", method="add", params={"task": task}) == task
    later = await client.call("modules.call", module="Board", method="add", params=[{"name": "write"}])
    assert later == {"name": "write", "urgent": False}
    assert await client.call("modules.call", module="Board", method="names") == ["read", "write"]
    assert await client.call("modules.call", module="Board", method="wait") is None


@pytest.mark.parametrize(
    ("module", "method", "message"),
    [
        ("Bord", "names", "there is no module 'Bord'; did you mean 'Board'?"),
        ("Mailbox", "run", "there is no method of Mailbox 'run'; none is known"),
        ("Board", "name", "there is no method of Board 'name'; did you mean 'names'?"),
        ("Board", "hidden", "there is no method of Board 'hidden'; known: add, "),
        ("Board", "tasks", "there is no method of Board 'tasks'; known: add, "),
        ("Board", "run", "there is no method of Board 'run'; known: add, "),
        ("Board", "__init__", "there is no method of Board '__init__'; known: add, "),
        ("Board", "", "there is no method of Board ''; known: add, "),
    ],
)
async def test_unknown(client: Any, module: str, method: str, message: str) -> None:
    """What is not exposed is not there, whatever the module has."""
    error = await _refusal(client, method, module=module)
    assert (error["code"], error["data"]["error"]) == (-32010, "UnknownNameError")
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "params.task: required, but missing"),
        ({"task": {}}, "params.task.name: required, but missing"),
        ({"task": {"name": 7}}, "params.task.name: expected a string, got an integer"),
        ({"task": {"name": "x"}, "last": True}, "params.last: unknown parameter; "),
        ([{"name": "x"}, True], "params: expected a list of at most 1 values, got 2"),
    ],
)
async def test_wrong_parameters(client: Any, params: Any, message: str) -> None:
    """What a module is given is checked as everything else is."""
    error = await _refusal(client, "add", params)
    assert error["code"] == -32602
    assert error["message"].startswith(message)


async def test_who_asks(open_house: Any) -> None:
    """A method that wants to know is told who asks, which no client can say itself."""
    async with open_house(plugins=(_PLUGIN,)) as house, house.client("agent-7") as agent, house.client() as owner:
        asked = {"module": "Board", "method": "whoami"}
        assert await agent.call("modules.call", **asked) == "agent-7"
        assert await owner.call("modules.call", **asked) is None
        error = await agent.refusal("modules.call", **asked, params={"identity": {"name": "agent-8"}})
        assert error["message"].startswith("params.identity: unknown parameter")
        described = await agent.call("observatory.describe")
        assert described["modules"]["Board"]["whoami"]["params"]["properties"] == {}


async def test_service(open_house: Any) -> None:
    """What a service exposes is called in the same manner, and described."""
    async with open_house(plugins=(_PLUGIN,)) as house, house.client("agent-7") as agent:
        assert await agent.call("services.call", service="desk", method="whoami") == "agent-7"
        error = await agent.refusal("services.call", service="desk", method="run")
        assert error["message"] == "there is no method of desk 'run'; known: whoami"
        error = await agent.refusal("services.call", service="Board", method="whoami")
        assert error["message"] == "there is no service 'Board'; known: desk, websocket"
        services = (await agent.call("observatory.describe"))["services"]
        assert {name: list(methods) for name, methods in services.items()} == {"desk": ["whoami"], "websocket": []}


async def test_own_error(client: Any) -> None:
    """A plugin's own error is told as the nearest one that every client knows."""
    error = await _refusal(client, "refuse")
    assert (error["code"], error["data"]["error"]) == (-32014, "PolicyRefusedError")
    assert error["data"]["fields"] == {"policy": "board", "reason": "full"}


@pytest.fixture
def no_traceback() -> Iterator[None]:
    """Keep out of pytest's report what has no encoding: the processes that run tests send it to each other."""

    def strip(record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True

    logger = logging.getLogger("observatory.websocket")
    logger.addFilter(strip)
    yield
    logger.removeFilter(strip)


@pytest.mark.parametrize("method", ["crash", "fail"])
async def test_fault(client: Any, log: Any, no_traceback: None, method: str) -> None:
    """What nobody foresees stands in the log; the client hears that, and nothing of how the service is made."""
    log.expect("the method 'modules.call' has failed")
    error = await _refusal(client, method)
    assert error == {"code": -32603, "message": "the service has failed with this request; its log says why"}


async def test_fault_in_a_batch(client: Any, log: Any) -> None:
    """A fault in a batch is the fault of one request."""
    log.expect("the method 'modules.call' has failed")
    crash = {"jsonrpc": "2.0", "id": 1, "method": "modules.call", "params": {"module": "Board", "method": "crash"}}
    await client.say([crash, {"jsonrpc": "2.0", "id": 2, "method": "health.get"}])
    first, second = await client.message()
    assert (first["error"]["code"], second["result"]["healthy"]) == (-32603, True)


@pytest.mark.parametrize("method", ["garbage", "unwritable"])
async def test_what_json_cannot_hold(client: Any, method: str) -> None:
    """A result that JSON cannot hold is an error that says so."""
    error = await _refusal(client, method)
    assert error["code"] == -32602
    assert error["message"].startswith("result: cannot be written as JSON: ")


async def test_described(client: Any) -> None:
    """What is exposed is described, and nothing else."""
    modules = (await client.call("observatory.describe"))["modules"]
    assert set(modules) == {"Board", "Mailbox", "SwarmMonitor", "ProtocolTracker", "Notes", "Presence"}
    assert set(modules["Board"]) == set(_Board.exposes)
    assert modules["Board"]["add"]["params"]["required"] == ["task"]
    assert (modules["Mailbox"], modules["Notes"]) == ({}, {})
