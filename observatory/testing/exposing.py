"""The law of what modules and services expose."""

from __future__ import annotations

import inspect

import pytest

from observatory import InvalidInputError, Module, Operation, Service


def check_exposed(part: Module | Service) -> None:
    """Check that what a part exposes are public methods with a docstring, which JSON can call."""
    assert not isinstance(part.exposes, str), "exposes is a text; write a collection of names"
    for name in part.exposes:
        method = getattr(part, name, None)
        assert inspect.ismethod(method), f"it exposes {name!r}, which is no method of it"
        assert not name.startswith("_"), f"it exposes {name!r}, which is private"
        told = [name for name in ("identity",) if name in inspect.signature(method).parameters]
        try:
            operation = Operation(method, name=name, leave_out=told)
        except InvalidInputError as error:
            pytest.fail(f"it exposes {name!r}, which JSON cannot call: {error}")
        assert operation.summary, f"it exposes {name!r}, which has no docstring"
