"""Kinds of values: what they are called, and how one is taken strictly of what JSON or TOML holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeAlias, Union, get_args, get_origin

Structure: TypeAlias = Callable[[Any, Any], Any]
"""Makes a value, as cattrs calls it: of the data, and the kind. Raises TypeError or ValueError."""

LISTS: Mapping[Any, type[Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Iterable: tuple,
    Collection: tuple,
    Sequence: tuple,
}
"""What a list can stand for, and what is made of one."""

_GOT: tuple[tuple[Any, str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "an integer"),
    (float, "a number"),
    (Mapping, "a table"),
    ((list, tuple, set, frozenset), "a list"),
    ((date, time), "a date or time"),
    (NoneType, "null"),
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")


def kind_of(value: Any) -> str:
    """Say in words what kind of value it is, without showing it: it may be a secret."""
    words = (words for kinds, words in _GOT if isinstance(value, kinds))
    return next(words, f"a value of class {type(value).__name__}")


def path_of(keys: Iterable[Any], start: str = "$") -> str:
    """Write the way down through tables and lists, such as `$.mailbox.max_messages` or `$.names[2]`."""
    for key in keys:
        start += f".{key}" if isinstance(key, str) and _BARE_KEY.fullmatch(key) else f"[{key!r}]"
    return start


def refuse(expected: str, value: Any) -> NoReturn:
    """Say that a value is of a wrong kind.

    Raises:
        TypeError: always.
    """
    raise TypeError(f"expected {expected}, got {kind_of(value)}")


def wire_name(field: str) -> str:
    """Return the name that a field or a parameter has on the wire, where Python's keywords are no trouble."""
    return "from" if field == "from_" else field


def is_union(kind: Any) -> bool:
    """Tell whether a kind is one of several, such as `int | None`."""
    return get_origin(kind) in (Union, UnionType)


def is_literal(kind: Any) -> bool:
    """Tell whether a kind is one of the values that it names."""
    origin: Any = get_origin(kind)
    return origin is Literal


def is_list(kind: Any) -> bool:
    """Tell whether a kind is a list on the wire, with items of one kind."""
    origin = get_origin(kind)
    return origin in LISTS and (origin is not tuple or get_args(kind)[-1:] == (...,))


def literal(kind: Any) -> Structure:
    """Make a hook that takes one of a `Literal`'s values, and not `True` for 1."""
    allowed = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        if not any(type(value) is type(one) and value == one for one in allowed):
            names = ", ".join(map(repr, allowed))
            got = f"{value!r:.80}" if isinstance(value, str | int | float) else kind_of(value)
            raise ValueError(f"expected one of {names}, got {got}")
        return value

    return structure


def to_path(value: Any) -> Path:
    """Make a path of a string or a path; a leading `~` stands for the home directory, as in a shell.

    Raises:
        TypeError: when it is neither.
        ValueError: when no file can have that path.
    """
    if not isinstance(value, str | Path):
        refuse("a path", value)
    if not str(value) or "\0" in str(value):
        raise ValueError("expected a path, got a string that is empty or has a NUL character in it")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError(f"has a '~' that stands for no home directory: {error}") from error


def _exactly(kind: type, words: str) -> Structure:
    """Make a hook that takes exactly `kind`, where cattrs would turn `"7"` into 7."""

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            refuse(words, value)
        return value

    return structure


def _to_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("a number", value)
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("expected a number, got an integer that is too large for one") from error


def _to_time(value: Any) -> datetime:
    if not isinstance(value, str | datetime):
        refuse("a time in ISO 8601", value)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("expected a time with an offset, such as 2026-11-21T10:00:00+00:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"expected a time that has a year in UTC, got {moment}") from error


SCALARS: Mapping[type[Any], Structure] = {
    str: _exactly(str, "a string"),
    int: _exactly(int, "an integer"),
    bool: _exactly(bool, "true or false"),
    NoneType: _exactly(NoneType, "null"),
    float: lambda value, _: _to_float(value),
    datetime: lambda value, _: _to_time(value),
    Path: lambda value, _: to_path(value),
}
"""How a value that is neither a table nor a list is taken, by its kind."""
