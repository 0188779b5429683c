"""What all conformance suites share: laws that cannot be overridden, and what a part is made with."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
import trio

from observatory import Context, PubSub, TrioClock

LawT = TypeVar("LawT", bound=Callable[..., Any])

PATIENCE = 10.0
"""Seconds after which a law that waits is broken: what is tested here never has to wait."""


def law(test: LawT) -> LawT:
    """Mark a method of a suite as the test of a law; a waiting one runs on Trio and is broken when it hangs."""
    marked: Any = _limit(test) if inspect.iscoroutinefunction(test) else test
    marked.is_law = True
    return marked  # type: ignore[no-any-return]


def _limit(test: Callable[..., Any]) -> Any:
    @functools.wraps(test)
    async def limited(*args: Any, **kwargs: Any) -> None:
        with trio.move_on_after(PATIENCE) as limit:
            await test(*args, **kwargs)
        assert not limit.cancelled_caught, f"it hangs: it was not done after {PATIENCE:g} s"

    return pytest.mark.trio(limited)


class Conformance:
    """Base of the suites. Every law is one test, and a subclass can neither override nor leave out one.

    A law that an implementation cannot keep stands in `expected_failures`. It is run all the same: once it holds,
    the suite fails until the entry is gone.
    """

    settings: ClassVar[Any] = None
    """What `Context.settings` holds: an instance of the plugin's settings class."""
    expected_failures: ClassVar[Mapping[str, str]] = {}
    """Laws that are known to be broken: the name of the test, and the reason."""

    def __init_subclass__(cls) -> None:
        """Refuse a suite that hides laws.

        Raises:
            TypeError: it overrides a law, or expects a failure of what is no law or without a reason.
        """
        laws = cls.laws()
        hidden = [name for name, test in laws.items() if getattr(cls, name) is not test]
        if hidden:
            raise TypeError(
                f"{cls.__name__} overrides the law {hidden[0]}; laws cannot be overridden: "
                f"if it does not hold, say so with expected_failures = {{{hidden[0]!r}: 'the reason'}}"
            )
        for name, reason in cls.expected_failures.items():
            if name not in laws:
                raise TypeError(f"{cls.__name__} expects a failure of {name}, which is no law of it: {', '.join(laws)}")
            if not reason.strip():
                raise TypeError(f"{cls.__name__} expects a failure of {name} without a reason; give one")

    @classmethod
    def laws(cls) -> dict[str, Callable[..., Any]]:
        """Return the tests of all laws by name, in the order in which the laws are written down."""
        return {
            name: test
            for base in reversed(cls.__mro__)
            for name, test in vars(base).items()
            if getattr(test, "is_law", False)
        }

    @pytest.fixture(autouse=True)
    def _mark_expected_failure(self, request: pytest.FixtureRequest) -> None:
        reason = self.expected_failures.get(request.node.originalname)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """Return what Observatory would hand to a factory: an empty root, and a clock that a mock clock moves."""
        root = tmp_path / "root"
        root.mkdir()
        return Context(root, TrioClock(), PubSub(), self.settings, {}, {})
