"""What the tests of the suites share: a context, and running a law that must be found broken."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from observatory import Context, PubSub, TrioClock

Broken: TypeAlias = Callable[..., Awaitable[str]]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a context on an empty root."""
    return Context(tmp_path, TrioClock(), PubSub(), None, {}, {})


@pytest.fixture
def broken() -> Broken:
    """Return what runs a law, sees that it finds something, and returns what that is."""

    async def run(law: Callable[..., Awaitable[None]], *args: Any) -> str:
        finding = pytest.RaisesExc((AssertionError, pytest.fail.Exception))
        with pytest.RaisesGroup(finding, allow_unwrapped=True, flatten_subgroups=True) as info:
            await law(*args)
        error: BaseException = info.value
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return str(error)

    return run
