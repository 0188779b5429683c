"""The flake8 extension: the findings of the command, file by file."""

from __future__ import annotations

import argparse
import ast
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from typing import Any, ClassVar

from observatory_lint.engine import check
from observatory_lint.files import python_files
from observatory_lint.settings import SettingsError
from observatory_lint.values import Finding


class Plugin:
    """What flake8 makes for each file. What was named is checked as a whole, once in each of its processes.

    Args:
        tree: the file, which is read anew.
        filename: its path.
    """

    name: ClassVar[str] = "trio-observatory-lint"
    version: ClassVar[str] = version("trio-observatory-lint")
    _paths: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tree: ast.AST, filename: str) -> None:
        self._filename = filename

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Note what was named on the command line of flake8; nothing stands for the working folder."""
        cls._paths = tuple(options.filenames or ["."])

    def run(self) -> Iterator[tuple[int, int, str, type[Any]]]:
        """Return line, column from 0, and text of each finding in the file."""
        if not os.path.isfile(self._filename):
            return  # what comes from the standard input belongs to no project
        try:
            findings = _findings_in(os.path.abspath(self._filename), self._paths)
        except SettingsError as error:
            # What is raised in one of its processes may leave flake8 waiting for the others for ever.
            yield 1, 0, f"OBS900 cannot be checked: {error}", type(self)
            return
        for finding in findings:
            yield finding.line, finding.column - 1, f"{finding.code} {finding.message}", type(self)


def _findings_in(path: str, paths: tuple[str, ...]) -> tuple[Finding, ...]:
    """Return the findings in a file: among those of what was named, or of itself where that leads elsewhere."""
    found = _findings_of(tuple(name for name in paths if os.path.exists(name)))
    return found[path] if path in found else tuple(check([path]))


@lru_cache(maxsize=1)
def _findings_of(paths: tuple[str, ...]) -> dict[str, tuple[Finding, ...]]:
    """Return the findings by file, also for files that have none. A process of flake8 lives for one run."""
    found: dict[str, list[Finding]] = {path: [] for name in paths for path in _files_in(os.path.abspath(name))}
    for finding in check(paths):
        found[os.path.abspath(finding.path)].append(finding)
    return {path: tuple(findings) for path, findings in found.items()}


def _files_in(path: str) -> Iterable[str]:
    return python_files(path) if os.path.isdir(path) else [path]
