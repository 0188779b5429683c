"""Parts that expose methods keep the law, and the suites find those that expose what clients cannot call."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import trio

from observatory import Context, Module, Service
from observatory.testing import ModuleConformance, ServiceConformance

Check: TypeAlias = Callable[[Context, Any], Awaitable[None]]


class Shelf:
    """A part with methods that can be exposed, and others."""

    def __init__(self, context: Context) -> None:
        self.root = context.root

    def count(self, book: str) -> int:
        """Return how many there are of a book."""
        return len(book)

    async def borrow(self, *books: str) -> tuple[str, ...]:
        """Take books."""
        await trio.lowlevel.checkpoint()
        return books

    def _private(self) -> None:
        """Be called by nobody else."""

    def undocumented(self) -> None:  # noqa: D102 -- as it says
        pass

    def untyped(self, value):  # type: ignore[no-untyped-def]
        """Take whatever comes."""

    def give_bytes(self) -> bytes:
        """Give what JSON cannot hold."""
        return b""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do nothing."""
        task_status.started()
        await trio.sleep_forever()


async def check_module(context: Context, exposes: Any) -> None:
    """Put the law to a module."""
    kind: Any = type("Exposing", (Shelf, Module), {"exposes": exposes})
    await trio.lowlevel.checkpoint()
    ModuleConformance().test_exposes(lambda: kind(context))


async def check_service(context: Context, exposes: Any) -> None:
    """Put the law to a service."""
    kind: Any = type("Exposing", (Shelf, Service), {"exposes": exposes})
    await ServiceConformance().test_exposes(lambda: kind(context))


each_kind = pytest.mark.parametrize("check", [check_module, check_service])


@each_kind
@pytest.mark.parametrize("exposes", [(), ("count",), ["borrow", "count"]])
async def test_kept(check: Check, exposes: Any, context: Context) -> None:
    """Nothing is found where there is nothing wrong."""
    await check(context, exposes)


@each_kind
@pytest.mark.parametrize(
    ("exposes", "finding"),
    [
        ("count", "exposes is a text; write a collection of names"),
        (["counted"], "it exposes 'counted', which is no method of it"),
        (["root"], "it exposes 'root', which is no method of it"),
        (["_private"], "it exposes '_private', which is private"),
        (["undocumented"], "it exposes 'undocumented', which has no docstring"),
        (["count", "untyped"], "it exposes 'untyped', which JSON cannot call: untyped.return: has no annotation"),
        (["give_bytes"], "it exposes 'give_bytes', which JSON cannot call: give_bytes.return: JSON cannot hold bytes"),
        (["run"], "it exposes 'run', which JSON cannot call: run.task_status: JSON cannot hold trio"),
    ],
)
async def test_broken(check: Check, exposes: Any, finding: str, context: Context) -> None:
    """A part that exposes what clients cannot call is found."""
    with pytest.raises((AssertionError, pytest.fail.Exception), match=re.escape(finding)):
        await check(context, exposes)
