"""From paths to files, and from files to the names that they are imported by."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

_LEFT_OUT = frozenset({"__pycache__", "node_modules", "build", "dist", "venv", "site-packages"})
_TABLE = re.compile(rb"^\s*\[\s*tool\s*\.\s*observatory\b|^\s*tool\s*\.\s*observatory\b", re.MULTILINE)
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


def python_files(folder: str) -> Iterator[str]:
    """Return every Python file below a folder, each once.

    Hidden folders are left out, and those of builds and virtual environments. Links are followed, loops are not; a
    folder that a link leads to has the name that it has without it.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            status = os.stat(here)
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if here != folder and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        folders: list[str] = []
        links: list[str] = []
        for entry in entries:
            is_file, is_folder = _kind(entry)
            if is_file and entry.name.endswith(".py"):
                yield entry.path
            elif is_folder and not entry.name.startswith(".") and entry.name not in _LEFT_OUT:
                (links if entry.is_symlink() else folders).append(entry.path)
        waiting.extend(reversed(folders))
        waiting[:0] = reversed(links)  # when there is nothing else any more


def _kind(entry: os.DirEntry[str]) -> tuple[bool, bool]:
    """Return whether an entry is a file and whether it is a folder; a link that leads nowhere is neither."""
    try:
        return entry.is_file(), entry.is_dir()
    except OSError:
        return False, False


class Roots:
    """Folders that modules are imported from.

    Args:
        folders: the project's, and those that were named.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = {os.path.abspath(folder) for folder in folders}
        self._folders |= {os.path.join(folder, "src") for folder in self._folders}
        self._packages: dict[str, bool] = {}
        self._above: dict[str, list[tuple[str, str]]] = {}

    def names(self, path: str) -> list[str]:
        """Return the names of a file, `` for those that cannot be: one for each root above it, the nearest first."""
        folder, file = os.path.split(path)
        stem = file[:-3] if file.endswith(".py") else file
        if not stem.isidentifier():
            return []
        found = []
        for _, prefix in self._prefixes(folder):
            name = prefix if stem == "__init__" else f"{prefix}.{stem}" if prefix else stem
            if name:
                found.append(name)
        return found

    def _prefixes(self, folder: str) -> list[tuple[str, str]]:
        """Return the roots above a folder, with the name of the package that it is below each."""
        if folder in self._above:
            return self._above[folder]
        found: list[tuple[str, str]] = []
        parts: list[str] = []
        here = folder
        package = self._is_package(folder)
        while True:
            is_root = here in self._folders or (package and not self._is_package(here)) or self._has_project_file(here)
            if is_root and not self._is_package(here):
                found.append((here, ".".join(reversed(parts))))
                package = False
            above, name = os.path.split(here)
            if above == here or not name.isidentifier():
                break
            parts.append(name)
            here = above
        if not found and not package:
            found.append((folder, ""))
        self._above[folder] = found
        return found

    def _is_package(self, folder: str) -> bool:
        known = self._packages.get(folder)
        if known is None:
            known = self._packages[folder] = os.path.isfile(os.path.join(folder, "__init__.py"))
        return known

    def _has_project_file(self, folder: str) -> bool:
        key = f"{folder}\0"
        known = self._packages.get(key)
        if known is None:
            known = any(os.path.isfile(os.path.join(folder, name)) for name in _PROJECT_FILES)
            self._packages[key] = known
        return known


class Folders:
    """Finds the project that a file is in: the folder with the settings, and with all that may be imported from."""

    def __init__(self) -> None:
        self._settled: dict[str, str | None] = {}

    def project_of(self, path: str) -> str:
        """Return the folder of the project that a path is in.

        That is the nearest one with a pyproject.toml that has `[tool.observatory.lint]`, else the nearest with a
        pyproject.toml, else the folder that was named, or the one that the outermost package is in.
        """
        start = path if os.path.isdir(path) else os.path.dirname(path)
        found = self.settled(start)
        if found:
            return found
        here = start
        while True:
            if os.path.isfile(os.path.join(here, "pyproject.toml")):
                return here
            above = os.path.dirname(here)
            if above == here:
                break
            here = above
        while os.path.isfile(os.path.join(start, "__init__.py")):
            start = os.path.dirname(start)
        return start

    def settled(self, folder: str) -> str | None:
        """Return the nearest folder, from this one up, that has settings; None when there is none."""
        if folder not in self._settled:
            above = os.path.dirname(folder)
            found = folder if _has_settings(folder) else self.settled(above) if above != folder else None
            self._settled[folder] = found
        return self._settled[folder]


def _has_settings(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "pyproject.toml"), "rb") as file:
            return bool(_TABLE.search(file.read()))
    except OSError:
        return False
