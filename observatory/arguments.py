"""What programs hand over, and ask for: checked in one manner, wherever it comes in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from observatory.errors import InvalidInputError, UnknownNameError

T = TypeVar("T")

_NO_PLUGINS = (type(None), str, bytes, int, float, list, tuple, dict, set)
"""What is handed over by mistake, and would be a plugin without a hook."""

is_name = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,127}").fullmatch
"""Match a string that can name an agent."""


def check_name(field: str, name: object) -> None:
    """Check an agent's name; as a recipient's it names a directory.

    Raises:
        InvalidInputError: says what a name may be.
    """
    if isinstance(name, str) and is_name(name):
        return
    if not isinstance(name, str):
        raise InvalidInputError(field, f"expected a name, got {type(name).__name__}")
    raise InvalidInputError(
        field,
        f"{shorten(name)} is no name: 1 to 128 characters of A-Z a-z 0-9 . _ @ + - are allowed, no dot at the start",
    )


def shorten(text: str) -> str:
    """Quote a text for one line of an error."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


def given(field: str, kind: type[T], value: T | None) -> T:
    """Return a value that may be left out, and is then made of nothing.

    Raises:
        InvalidInputError: it is not of its kind.
    """
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise InvalidInputError(field, f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def check_plugins(plugins: object) -> Iterable[object]:
    """Check the plugin objects that a program hands over, and return them.

    Raises:
        InvalidInputError: they are no collection, or one of them can have no hooks.
    """
    if isinstance(plugins, str) or not isinstance(plugins, Iterable):
        raise InvalidInputError("plugins", f"expected a collection of plugin objects, got {type(plugins).__name__}")
    checked = tuple(plugins)
    for index, plugin in enumerate(checked):
        if isinstance(plugin, _NO_PLUGINS):
            got = type(plugin).__name__
            raise InvalidInputError(f"plugins[{index}]", f"expected a module or an object with hooks, got {got}")
    return checked


def pick(what: str, kind: type[Any], parts: Mapping[str, Any], which: object) -> Any:
    """Find a part by its name or by its class.

    Args:
        what: such as `module`.
        kind: what every part is an instance of.
        parts: every part by name.
        which: the name, or the class.

    Raises:
        InvalidInputError: it is neither a name nor such a class.
        UnknownNameError: there is no such part.
    """
    if isinstance(which, str):
        if which in parts:
            return parts[which]
        raise UnknownNameError(what, which, parts)
    if not isinstance(which, type) or not issubclass(which, kind):
        got = f"the class {which.__name__}" if isinstance(which, type) else type(which).__name__
        raise InvalidInputError(what, f"expected a name or a subclass of {kind.__name__}, got {got}")
    for part in parts.values():
        if isinstance(part, which):
            return part
    raise UnknownNameError(what, which.__name__, parts)
