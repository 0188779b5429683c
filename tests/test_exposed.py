"""What modules and services expose, called as doors do; what clients see of it is in their conformance suite."""

from typing import ClassVar

import pytest
import trio

from observatory import Exposed, Identity, InvalidInputError, Service, Settings, UnknownNameError, open_observatory
from observatory.testing import observatory_plugin


class Desk(Service):
    """A service."""

    exposes: ClassVar = ("add", "who")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait."""
        task_status.started()
        await trio.sleep_forever()

    def add(self, number: int, *more: int) -> int:
        """Return the sum."""
        return sum((number, *more))

    def who(self, greeting: str = "", *, identity: Identity | None = None) -> list[str | None]:
        """Tell who asks."""
        return [greeting, None if identity is None else identity.name]


def find(name: str) -> Desk:
    """Find the only service that there is."""
    if name != "desk":
        raise UnknownNameError("service", name, ["desk"])
    return Desk()


@pytest.fixture
def exposed() -> Exposed:
    """Return what that exposes."""
    return Exposed("service", find)


async def test_call(exposed: Exposed) -> None:
    """A method is called with parameters by name or in a list, and gives what it returns."""
    assert await exposed.call("desk", "add", {"number": 1, "more": [2, 3]}) == 6
    assert await exposed.call("desk", "add", [1]) == 1
    assert await exposed.call("desk", "who") == ["", None]


async def test_identity(exposed: Exposed) -> None:
    """Who asks is told by the door, and by nobody else."""
    assert await exposed.call("desk", "who", ["hello"], identity=Identity("ann")) == ["hello", "ann"]
    assert await exposed.call("desk", "add", [1], identity=Identity("ann")) == 1
    with pytest.raises(InvalidInputError, match=r"^params\.identity: unknown parameter; known: greeting$"):
        await exposed.call("desk", "who", {"identity": None})


def test_operation(exposed: Exposed) -> None:
    """A method is an operation that can be described, and is made once."""
    operation = exposed.operation("desk", "add")
    assert (operation.name, operation.summary) == ("desk.add", "Return the sum.")
    assert exposed.operation("desk", "add") is operation


@pytest.mark.parametrize(
    ("part", "method", "message"),
    [
        ("desks", "add", "there is no service 'desks'; did you mean 'desk'?"),
        ("desk", "ad", "there is no method of desk 'ad'; did you mean 'add'?"),
        ("desk", "run", "there is no method of desk 'run'; known: add, who"),
        ("x" * 1_000, "add", f"there is no service '{'x' * 80}'; known: desk"),
        ("desk", "x" * 1_000, f"there is no method of desk '{'x' * 80}'; known: add, who"),
    ],
)
def test_unknown(exposed: Exposed, part: str, method: str, message: str) -> None:
    """What is not exposed is not there, and is named by as much of it as one reads."""
    with pytest.raises(UnknownNameError) as refusal:
        exposed.operation(part, method)
    assert str(refusal.value) == message


async def test_running(bare_settings: type[Settings]) -> None:
    """A door finds parts in what it was handed."""
    found: list[Exposed] = []

    def make(context: object) -> Desk:
        found.append(Exposed("service", context.service))  # type: ignore[attr-defined]
        return Desk()

    async with open_observatory(bare_settings(), plugins=[observatory_plugin("desks", services={"desk": make})]):
        assert await found[0].call("desk", "add", [1, [2]]) == 3
