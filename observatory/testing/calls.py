"""What every client can call of what plugins expose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, ClassVar, TypeAlias

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import Client, Identity, InvalidInputError, Module, ObservatoryError, PolicyRefusedError, Service
from observatory.testing.fakes import observatory_plugin
from observatory.testing.same import assert_same

Call: TypeAlias = Callable[..., Awaitable[Any]]


@attrs.frozen
class Book:
    """A value of a plugin."""

    title: str
    """What it is called."""
    from_: str | None = None
    """Who gave it."""


class _Shelf:
    """What a module and a service expose alike."""

    exposes: ClassVar[Collection[str]] = ("put", "echo", "refuse", "garbage", "wait", "who")

    def __init__(self) -> None:
        self.books: list[Book] = []

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait."""
        task_status.started()
        await trio.sleep_forever()

    async def put(self, book: Book, *more: Book, first: bool = False) -> tuple[Book, ...]:
        """Put books on the shelf; return all that are there."""
        await trio.lowlevel.checkpoint()
        self.books[: 0 if first else len(self.books)] = [book, *more]
        return tuple(self.books)

    def echo(self, module: str, method: str, service: Any = None) -> Mapping[str, Any]:
        """Give back what was given, under names that a client may have for itself."""
        return {"module": module, "method": method, "service": service}

    def refuse(self, params: str) -> None:
        """Refuse what it is given."""
        if params == "invalid":
            raise InvalidInputError("params", "is not allowed")
        raise PolicyRefusedError("shelf", params)

    def garbage(self) -> Any:
        """Return what JSON cannot hold."""
        return [b"garbage"]

    async def wait(self) -> None:
        """Wait for ever."""
        await trio.sleep_forever()

    def who(self, *, identity: Identity | None = None) -> bool:
        """Tell whether whoever asks has the name of an agent."""
        return identity is not None and identity.name is not None


class ShelfModule(_Shelf, Module):  # noqa: OBS202 -- the suites register it
    """The module."""


class ShelfService(_Shelf, Service):
    """The service."""


def shelves() -> object:
    """Return a plugin with both."""
    modules, services = {"Shelf": lambda _: ShelfModule()}, {"shelf": lambda _: ShelfService()}
    return observatory_plugin("shelves", modules=modules, services=services)


_REFUSED: Mapping[str, Callable[[Call, str], Awaitable[object]]] = {
    "a part": lambda call, shelf: call(f"{shelf}s", "put"),
    "a part that is no name": lambda call, shelf: call(7, "put"),
    "a method": lambda call, shelf: call(shelf, "push"),
    "a method that is not exposed": lambda call, shelf: call(shelf, "run"),
    "a method that is no name": lambda call, shelf: call(shelf, None),
    "a parameter that is missing": lambda call, shelf: call(shelf, "put"),
    "a parameter that there is not": lambda call, shelf: call(shelf, "put", book={"title": "a"}, last=True),
    "a value": lambda call, shelf: call(shelf, "put", book={"title": "a"}, more=[{"title": "b"}, {"title": 7}]),
    "who asks": lambda call, shelf: call(shelf, "who", identity=None),
    "what it does not admit": lambda call, shelf: call(shelf, "refuse", params="never"),
    "what it does not take": lambda call, shelf: call(shelf, "refuse", params="invalid"),
    "what it returns": lambda call, shelf: call(shelf, "garbage"),
}
"""Calls that are refused, by what is wrong."""


def calls_of(client: Client) -> list[tuple[Call, str]]:
    """Return what calls the module and what calls the service, each with the name of its shelf."""
    return [(client.call_module, "Shelf"), (client.call_service, "shelf")]


async def call(client: Client) -> None:
    """Call what the module and the service expose."""
    for call, shelf in calls_of(client):
        one, two = {"title": "one", "from": "ann"}, {"title": "two", "from": None}
        assert_same(await call(shelf, "put", book=one), [one])
        assert_same(await call(shelf, "put", book={"title": "two"}, more=(one,), first=True), [two, one, one])
        given = {"module": "a", "method": "b", "service": {"c": [1, 2.5, None, True]}}
        assert_same(await call(shelf, "echo", **given), given)
        assert isinstance(await call(shelf, "who"), bool)


async def call_in_vain(client: Client, library: Client) -> None:
    """Call what is refused: with the same errors through a client and in this process."""
    for (call, shelf), (expected_of, _) in zip(calls_of(client), calls_of(library), strict=True):
        for what, refused in _REFUSED.items():
            with pytest.raises(ObservatoryError) as expected:
                await refused(expected_of, shelf)
            with pytest.raises(ObservatoryError) as got:
                await refused(call, shelf)
            assert_same(got.value, expected.value, f"{what} of {shelf}")


async def call_for_a_moment(client: Client) -> None:
    """Call what waits for ever, and cancel it."""
    for call, shelf in calls_of(client):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, shelf, "wait")
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
