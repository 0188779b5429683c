"""Settings from a file and from `OBSERVATORY_*` variables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import attrs

from observatory.errors import InvalidInputError, SettingsError
from observatory.kinds import kind_of, path_of
from observatory.settings.tables import Settings
from observatory.wire import structure_settings

_PREFIX = "OBSERVATORY_"
_NOT_SETTINGS = {"OBSERVATORY_AGENT", "OBSERVATORY_TOKEN"}
"""Variables of our name that are no settings: who an agent is, and its secret for a running service."""


def load_settings(path: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read settings from a file, then from `OBSERVATORY_*` variables, which win.

    `OBSERVATORY_ROOT=/srv/swarm` sets `root`, `OBSERVATORY_MAILBOX__MAX_MESSAGES=50` sets `max_messages` in
    `[mailbox]`. A variable's value is read as TOML where it is TOML, else as a string, and so it is where a path or a
    string is expected.

    Args:
        path: the file; by default `observatory.toml` in the current directory, if there is one.
        environ: the variables; by default the process's.

    Raises:
        InvalidInputError: the path is none.
        SettingsError: when the file cannot be read, or a key is unknown or of a wrong kind.
    """
    if not isinstance(path, str | Path | None):
        raise InvalidInputError("path", f"expected the path of a file, got {kind_of(path)}")
    data, file = _read_file(Path(path)) if path is not None else _read_default()
    variables = os.environ if environ is None else environ
    origins: dict[str, str] = {}
    for name in sorted(variables):
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS:
            keys = name.removeprefix(_PREFIX).lower().split("__")
            value = _read_value(variables[name])
            if not isinstance(value, str) and _wants_text(keys):
                value = variables[name]
            _put(data, keys, value, source=name)
            origins[path_of(keys)] = name if name.isprintable() else repr(name)
    try:
        return structure_settings(data, Settings)
    except SettingsError as error:
        raise SettingsError(error.path, error.reason, source=_origin(error.path, origins) or file) from error


def _read_default() -> tuple[dict[str, Any], str | None]:
    path = Path("observatory.toml")
    return _read_file(path) if os.path.exists(path) else ({}, None)  # False too where it may not look


def _read_file(path: Path) -> tuple[dict[str, Any], str]:
    import tomllib  # here, so that `import observatory` is quick

    source = str(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), source
    except OSError as error:
        raise SettingsError("$", f"cannot be read: {error.strerror}", source=source) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError("$", f"is not TOML in UTF-8: {error}", source=source) from error


def _read_value(text: str) -> Any:
    import tomllib  # here, as above

    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return document["value"] if len(document) == 1 else text


def _wants_text(keys: Sequence[str]) -> bool:
    """Return whether a path or a string stands under these keys: there a text counts as it is, also one like `2026`."""
    kind: Any = Settings
    for key in keys:
        kind = get_type_hints(kind).get(key) if attrs.has(kind) else None
    return kind in (str, Path, Path | None)


def _put(data: dict[str, Any], keys: list[str], value: Any, *, source: str) -> None:
    table = data
    for depth, key in enumerate(keys[:-1], start=1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise SettingsError(path_of(keys[:depth]), f"expected a table, got {kind_of(table)}", source=source)
    table[keys[-1]] = value


def _origin(path: str, origins: Mapping[str, str]) -> str | None:
    """Find the variable that set the value at `path`, a table around it, or something in it."""
    return next((name for start, name in origins.items() if _within(path, start) or _within(start, path)), None)


def _within(path: str, around: str) -> bool:
    return path == around or path.startswith((f"{around}.", f"{around}["))
