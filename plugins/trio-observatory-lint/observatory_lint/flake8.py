"""The flake8 extension: the findings of the command, file by file."""

from __future__ import annotations

import argparse
import ast
import os
import tokenize
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from io import BytesIO
from typing import Any, ClassVar

from observatory_lint.engine import check
from observatory_lint.settings import SettingsError
from observatory_lint.values import Finding


class Plugin:
    """What flake8 makes for each file. What was named is checked as a whole, once in each of its processes.

    Args:
        tree: the file, which is read anew.
        filename: its path.
        lines: what stands in it; what comes from the standard input stands nowhere else.
    """

    name: ClassVar[str] = "trio-observatory-lint"
    version: ClassVar[str] = version("trio-observatory-lint")
    _options: ClassVar[argparse.Namespace]

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        self._filename = filename
        self._lines = lines

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Note the command line of flake8: a new run begins."""
        cls._options = options
        _findings_of.cache_clear()

    def run(self) -> Iterator[tuple[int, int, str, type[Any]]]:
        """Return line, column from 0, and text of each finding in the file."""
        findings = self._findings()
        if isinstance(findings, SettingsError):
            # What is raised in one of its processes may leave flake8 waiting for the others for ever.
            yield 1, 0, f"OBS900 cannot be checked: {findings}", type(self)
            return
        for finding in findings:
            yield finding.line, finding.column - 1, f"{finding.code} {finding.message}", type(self)

    def _findings(self) -> Sequence[Finding] | SettingsError:
        path = os.path.abspath(self._filename)
        named = self._options.filenames or ["."]
        if "-" in named and self._filename == self._options.stdin_display_name:
            found = _findings_of((path,), _as_file(self._lines))
        else:
            found = _findings_of(tuple(name for name in named if os.path.exists(name)))
        return found if isinstance(found, SettingsError) else found.get(path, ())


def _as_file(lines: Sequence[str]) -> bytes:
    """Return lines as they would stand in a file, in the encoding that they declare."""
    text = "".join(lines)
    data = text.encode()
    with suppress(SyntaxError):  # that there is no such encoding is found when it is read
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
        data = text.encode(encoding, errors="replace")
    return data


@lru_cache(maxsize=1)
def _findings_of(paths: tuple[str, ...], unsaved: bytes | None = None) -> dict[str, list[Finding]] | SettingsError:
    """Return the findings by file, once for all files of a run; `unsaved` is what stands in the first of them."""
    found: dict[str, list[Finding]] = {}
    try:
        for finding in check(paths, unsaved={} if unsaved is None else {paths[0]: unsaved}):
            found.setdefault(os.path.abspath(finding.path), []).append(finding)
    except SettingsError as error:
        return error
    return found
