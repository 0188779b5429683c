"""What settings may be. Validators as attrs calls them: they refuse with the path of the attribute."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from observatory.errors import SettingsError
from observatory.kinds import kind_of, to_path

_NUMBER = (int, float)


@attrs.frozen
class _Bound:
    """An integer or a number within a bound."""

    words: str
    kinds: tuple[type, ...]
    allows: Callable[[float], bool]

    def __call__(self, _: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        right_kind = isinstance(value, self.kinds) and not isinstance(value, bool)
        if not right_kind or not self.allows(value):
            got = repr(value) if right_kind else kind_of(value)
            raise SettingsError(f"$.{attribute.name}", f"expected {self.words}, got {got}")


def count(at_least: int) -> _Bound:
    """Allow integers of at least that."""
    return _Bound(f"an integer of at least {at_least}", (int,), lambda value: value >= at_least)


def number_from(limit: float) -> _Bound:
    """Allow numbers of at least that."""
    return _Bound(f"a number of at least {limit}", _NUMBER, lambda value: value >= limit)


def number_above(limit: float) -> _Bound:
    """Allow numbers above that."""
    return _Bound(f"a number above {limit}", _NUMBER, lambda value: value > limit)


def count_between(first: int, last: int) -> _Bound:
    """Allow integers from one to another."""
    return _Bound(f"an integer from {first:,} to {last:,}", (int,), lambda value: first <= value <= last)


def number_between(first: float, last: float) -> _Bound:
    """Allow numbers from one to another."""
    return _Bound(f"a number from {first:,} to {last:,}", _NUMBER, lambda value: first <= value <= last)


def is_part(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Allow for a part of `Settings` its own class."""
    if not isinstance(value, type(attribute.default)):
        raise SettingsError(f"$.{attribute.name}", f"expected {type(attribute.default).__name__}, got {kind_of(value)}")


def is_switch(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Allow true and false."""
    if not isinstance(value, bool):
        raise SettingsError(f"$.{attribute.name}", f"expected true or false, got {kind_of(value)}")


def one_of(*allowed: str) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    """Allow one of these strings."""

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not isinstance(value, str) or value not in allowed:
            got = f"{value!r:.80}" if isinstance(value, str) else kind_of(value)
            raise SettingsError(f"$.{attribute.name}", f"expected one of {', '.join(map(repr, allowed))}, got {got}")

    return check


def is_string(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Allow a string."""
    if not isinstance(value, str):
        raise SettingsError(f"$.{attribute.name}", f"expected a string, got {kind_of(value)}")


def are_strings(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Allow a tuple of strings."""
    if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
        raise SettingsError(f"$.{attribute.name}", f"expected a list of strings, got {kind_of(value)}")


@attrs.frozen
class _Strings:
    """A tuple of strings of one form."""

    words: str
    fits: Callable[[str], object]

    def __call__(self, owner: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        are_strings(owner, attribute, value)
        for index, text in enumerate(value):
            if not self.fits(text):
                raise SettingsError(f"$.{attribute.name}[{index}]", f"expected {self.words}, got {text!r:.80}")


def strings_like(pattern: str, words: str) -> _Strings:
    """Allow a tuple of strings that match a pattern as a whole, which is said in these words."""
    return _Strings(words, re.compile(pattern).fullmatch)


def are_tables(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Allow a table of tables."""
    if not isinstance(value, Mapping) or not all(isinstance(table, Mapping) for table in value.values()):
        raise SettingsError(f"$.{attribute.name}", "expected a table of tables, one for each plugin")


def are_commands(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Allow a table of commands: lists of strings that are not empty."""
    for name, command in value.items() if isinstance(value, Mapping) else [("", None)]:
        if not isinstance(command, tuple | list) or not command or not all(isinstance(word, str) for word in command):
            where = f"$.{attribute.name}.{name}" if name else f"$.{attribute.name}"
            raise SettingsError(where, "expected a program and its arguments: a list of strings")


def frozen(value: Any) -> Any:
    """Make a tuple of a list."""
    return tuple(value) if isinstance(value, list) else value


def to_absolute(name: str, value: Any) -> Path:
    """Make the path of a setting of that name absolute: a program may change its directory later.

    Raises:
        SettingsError: it is no path.
    """
    try:
        return to_path(value).absolute()
    except (TypeError, ValueError) as error:
        raise SettingsError(f"$.{name}", str(error)) from error
    except OSError as error:
        raise SettingsError(f"$.{name}", f"is relative to a directory that is gone: {error.strerror}") from error
