"""What can be set in `[tool.observatory.lint]`."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from observatory_lint.catalogue import CODES, hint, nearest
from observatory_lint.libraries import PERSISTENCE, Libraries

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


_KEYS = tuple(name.replace("_", "-") for name in Settings._fields)


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
        if name == "observatory" and "lint" not in table and (near := nearest("lint", table)):
            raise SettingsError(file, f"{path}.{near[0]}", "unknown key; did you mean 'lint'?")
    return _settings(file, table)


def _settings(file: Path, table: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for name, value in table.items():
        path = f"{_TABLE}.{name}"
        if name not in _KEYS:
            raise SettingsError(file, path, f"unknown key{_near(name, _KEYS)}")
        if name == "per-file-ignores":
            values["per_file_ignores"] = _per_file(file, path, value)
        elif name == "application":
            values[name] = _file(file, path, value)
        else:
            check = _CHECKS[name]
            values[name] = tuple(check(file, f"{path}[{i}]", item) for i, item in enumerate(_list(file, path, value)))
    settings = Settings(**values)
    libraries = Libraries(settings.libraries)
    for index, name in enumerate(settings.allow):
        if not libraries.match(name):
            message = f"{name!r} is no persistence library, nor below one{_near(name, PERSISTENCE)}"
            raise SettingsError(file, f"{_TABLE}.allow[{index}]", message)
    return settings


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
    if not all(map(str.isidentifier, text.split("."))):
        raise SettingsError(file, path, f"expected a dotted name such as 'package.module', got {text!r}")
    return text


def _pattern(file: Path, path: str, value: Any) -> str:
    text = _text(file, path, value)
    if not all(part.replace("*", "a").isidentifier() for part in text.split(".")):
        raise SettingsError(file, path, f"expected a dotted name such as 'package.module' or 'package.*', got {text!r}")
    return text


def _file(file: Path, path: str, value: Any) -> str:
    text = _text(file, path, value)
    if not (file.parent / text).is_file():
        raise SettingsError(file, path, f"there is no file {text!r} in {file.parent}")
    return text


def _code(file: Path, path: str, value: Any) -> str:
    text = _text(file, path, value)
    if not any(code.startswith(text) for code in CODES):
        raise SettingsError(file, path, f"{text!r} is no code, nor what one begins with{hint(text)}")
    return text


_CHECKS = {"ephemeral": _pattern, "libraries": _dotted, "allow": _dotted, "select": _code, "ignore": _code}


def _near(name: str, known: Collection[str]) -> str:
    """Return what to say of a name that there is not: the nearest, or all where they are few."""
    near = nearest(name, known)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(known)}" if len(known) < 10 else ""


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
