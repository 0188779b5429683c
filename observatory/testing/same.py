"""Comparing values down to their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from observatory import ObservatoryError


def assert_same(got: Any, expected: Any, path: str = "it") -> None:
    """Check that two values are equal, and of the same classes all the way down; mappings may be of any class."""
    if isinstance(got, Mapping) and isinstance(expected, Mapping):
        assert list(got) == list(expected), f"{path} has other keys"
        for key, value in expected.items():
            assert_same(got[key], value, f"{path}[{key!r}]")
        return
    assert type(got) is type(expected), f"{path} is a {type(got).__name__}, not a {type(expected).__name__}: {got!r}"
    if isinstance(expected, ObservatoryError):
        assert (str(got), vars(got)) == (str(expected), vars(expected)), f"{path} is another error"
    elif attrs.has(type(expected)):
        for field in attrs.fields(type(expected)):
            assert_same(getattr(got, field.name), getattr(expected, field.name), f"{path}.{field.name}")
    elif isinstance(expected, list | tuple):
        assert len(got) == len(expected), f"{path} has {len(got)} items, not {len(expected)}: {got!r}"
        for index, item in enumerate(expected):
            assert_same(got[index], item, f"{path}[{index}]")
    else:
        assert got == expected, f"{path} differs"
