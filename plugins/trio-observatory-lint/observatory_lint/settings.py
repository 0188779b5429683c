"""What can be set in `[tool.observatory.lint]`."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from observatory_lint.catalogue import CODES

_TABLE = "$.tool.observatory.lint"


class SettingsError(Exception):
    """Raised when settings cannot be used.

    Attributes:
        path: where it is wrong, such as `$.tool.observatory.lint.ephemeral[0]`.
    """

    def __init__(self, file: Path, path: str, message: str) -> None:
        super().__init__(f"{file}: {path}: {message}")
        self.path = path


class Settings(NamedTuple):
    """`[tool.observatory.lint]`."""

    ephemeral: tuple[str, ...] = ()
    """Dotted names of modules that are ephemeral besides those that define or register a `Module`; `*` stands for any
    letters, dots too."""
    libraries: tuple[str, ...] = ()
    """Libraries that mean persistence, besides the built-in list."""
    allow: tuple[str, ...] = ()
    """Libraries, or modules below one, that are allowed after all."""
    application: str = ""
    """The file with the application's list of modules, from the folder of pyproject.toml on; without it, every file
    `application.py` that holds one."""
    select: tuple[str, ...] = ()
    """Codes, or what they begin with, that are looked for; none stands for all."""
    ignore: tuple[str, ...] = ()
    """Codes, or what they begin with, that are not."""
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Such codes for files whose path, from the folder of pyproject.toml on, matches a pattern."""

    def wants(self, code: str, path: str) -> bool:
        """Return whether a code is looked for in a file; `path` is relative, with `/`."""
        if self.select and not code.startswith(self.select):
            return False
        if code.startswith(self.ignore) if self.ignore else False:
            return False
        return not any(_matches(path, pattern) and code.startswith(codes) for pattern, codes in self.per_file_ignores)


_KINDS = {
    "ephemeral": list,
    "libraries": list,
    "allow": list,
    "application": str,
    "select": list,
    "ignore": list,
    "per-file-ignores": dict,
}


def read_settings(folder: Path) -> Settings:
    """Return the settings in a folder's pyproject.toml; the defaults when there are none.

    Raises:
        SettingsError: they cannot be used; the message names the file, where it is wrong, and what is allowed.
    """
    file = folder / "pyproject.toml"
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(file, "$", f"cannot be read: {error.strerror}") from error
    if b"observatory" not in data:
        return Settings()
    try:
        table: Any = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(file, "$", f"is no TOML: {error}") from error
    path = "$"
    for name in ("tool", "observatory", "lint"):
        table = table.get(name, {})
        path = f"{path}.{name}"
        if not isinstance(table, dict):
            raise SettingsError(file, path, f"expected a table, got {_kind(table)}")
    return _settings(file, table)


def _settings(file: Path, table: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for name, value in table.items():
        path = f"{_TABLE}.{name}"
        if name not in _KINDS:
            near = get_close_matches(name, _KINDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(_KINDS)}"
            raise SettingsError(file, path, f"unknown key{hint}")
        if name == "per-file-ignores":
            values["per_file_ignores"] = _per_file(file, path, value)
        elif name == "application":
            values[name] = _text(file, path, value)
        else:
            check = _code if name in {"select", "ignore"} else _dotted
            values[name] = tuple(check(file, f"{path}[{i}]", item) for i, item in enumerate(_list(file, path, value)))
    return Settings(**values)


def _per_file(file: Path, path: str, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise SettingsError(file, path, f"expected a table of patterns with lists of codes, got {_kind(value)}")
    found = []
    for pattern, codes in value.items():
        where = f'{path}."{pattern}"'
        found.append((pattern, tuple(_code(file, f"{where}[{i}]", c) for i, c in enumerate(_list(file, where, codes)))))
    return tuple(found)


def _list(file: Path, path: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise SettingsError(file, path, f"expected a list of text, got {_kind(value)}")
    return value


def _text(file: Path, path: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(file, path, f"expected a text that is not empty, got {_kind(value)}")
    return value


def _dotted(file: Path, path: str, value: Any) -> str:
    text = _text(file, path, value)
    if not all(part.replace("*", "a").replace("?", "a").isidentifier() for part in text.split(".")):
        raise SettingsError(file, path, f"expected a dotted name such as 'package.module', got {text!r}")
    return text


def _code(file: Path, path: str, value: Any) -> str:
    text = _text(file, path, value)
    if not any(code.startswith(text) for code in CODES):
        near = get_close_matches(text, CODES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(file, path, f"{text!r} is no code, nor what one begins with{hint}")
    return text


def _kind(value: object) -> str:
    names = {str: "a text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return "an empty text" if value == "" else names.get(type(value), "a date")


def _matches(path: str, pattern: str) -> bool:
    """Return whether a path matches a pattern; `**/` also stands for nothing, a pattern without `/` for any folder."""
    pattern = pattern.removeprefix("./")
    if fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern.rstrip('/')}/*"):
        return True
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in path.split("/"))
    return pattern.startswith("**/") and _matches(path, pattern[3:])
