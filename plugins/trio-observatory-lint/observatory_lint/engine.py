"""From paths to findings: the one thing that every door calls."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType

from observatory_lint.cache import NAME, Cache
from observatory_lint.checking import Checker
from observatory_lint.facts import Noqa
from observatory_lint.files import Folders, Roots, python_files
from observatory_lint.parsing import quietly, text_of
from observatory_lint.project_rules.project_rule import Told
from observatory_lint.settings import Settings, read_settings
from observatory_lint.suppressing import judge
from observatory_lint.values import Finding, Place, Raw, Step


def check(
    paths: Sequence[str | os.PathLike[str]],
    *,
    select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    cached: bool = True,
    unsaved: Mapping[str, bytes] = MappingProxyType({}),
) -> list[Finding]:
    """Return what is wrong in files and folders.

    The whole project of each is read, since a finding may depend on any of it; findings are those of what was named.
    Nothing that is read is run.

    Args:
        paths: files, and folders with all Python files in them.
        select: codes, or what they begin with, instead of those in the settings.
        ignore: such codes besides those in the settings.
        cached: whether results are kept in `.observatory_lint_cache` in the folder of each project.
        unsaved: what stands in files by their absolute path, instead of what is on disk.

    Raises:
        FileNotFoundError: a path does not exist.
        PermissionError: a folder that was named may not be read.
        SettingsError: the settings of a project cannot be used.
    """
    found: set[Finding] = set()
    named = [os.path.abspath(path) for path in paths if os.path.isdir(path)]
    with quietly(), _no_search_for_garbage():
        walk = cache(_files_in)  # each folder once
        for folder, wanted in _by_project(paths, walk, unsaved).items():
            settings = read_settings(Path(folder))
            settings = settings._replace(select=select or settings.select, ignore=(*settings.ignore, *ignore))
            files = dict.fromkeys([*wanted, *walk(folder)])
            roots = Roots([folder, *named])
            found.update(_check_project(Path(folder), wanted, files, roots, settings, unsaved, cached=cached))
    return sorted(found)


def _by_project(
    paths: Sequence[str | os.PathLike[str]], walk: Callable[[str], Iterable[str]], unsaved: Mapping[str, bytes]
) -> dict[str, list[str]]:
    """Return the files that were named, and those in folders that were, by the folder of their project."""
    folders = Folders()
    projects: dict[str, list[str]] = {}
    for path in paths:
        absolute = os.path.abspath(path)
        if absolute not in unsaved and not os.path.exists(path):
            raise FileNotFoundError(f"{os.fspath(path) or repr('')} does not exist")
        if os.path.isdir(path):
            os.scandir(path).close()  # below it, folders that may not be read are passed over
        project = folders.project_of(absolute)
        projects.setdefault(project, [])
        for file in walk(absolute) if os.path.isdir(absolute) else [absolute]:
            projects.setdefault(folders.settled(os.path.dirname(file)) or project, []).append(file)
    return projects


def _files_in(folder: str) -> tuple[str, ...]:
    return tuple(python_files(folder))


def _check_project(
    folder: Path,
    wanted: Iterable[str],
    files: Iterable[str],
    roots: Roots,
    settings: Settings,
    unsaved: Mapping[str, bytes],
    *,
    cached: bool,
) -> Iterator[Finding]:
    tops = sorted({name.partition(".")[0] for file in files for name in roots.names(file)})
    remembered = Cache(folder / NAME if cached else None, repr((settings.libraries, settings.allow, tops)))
    checker = Checker(folder, settings, roots, tops, remembered, unsaved)
    found: dict[str, list[Told]] = {path: [] for path in wanted}
    for path, told in checker.check(files):
        if path in found:
            found[path].append(told)
    remembered.save()
    for path, tolds in found.items():
        facts = checker.facts.get(path)
        noqa = facts.noqa if facts else ()
        if tolds or noqa:
            relative = Path(os.path.relpath(path, folder)).as_posix()
            yield from _findings(path, relative, tolds, noqa, settings, checker.contents.get(path, b""))


def _findings(
    path: str, relative: str, tolds: Iterable[Told], noqa: Sequence[Noqa], settings: Settings, data: bytes
) -> Iterator[Finding]:
    """Return what is left of the findings in a file: what settings want and no comment suppresses."""
    chains = {told.raw: told.chain for told in tolds if settings.wants(told.raw.code, relative)}
    left = judge(chains, noqa, lambda code: settings.wants(code, relative))
    if not left:
        return
    lines = text_of(data).split("\n")
    for raw in left:
        chain = tuple(Step(_shown(step.path), step.line, step.imports) for step in chains.get(raw, ()))
        way = f": {', '.join(map(str, chain[1:]))}" if len(chain) > 1 else ""
        yield _finding(_shown(path), raw._replace(message=raw.message + way), chain, lines)


def _finding(path: str, raw: Raw, chain: tuple[Step, ...], lines: list[str]) -> Finding:
    place: Place = raw.place
    return Finding(
        path,
        place.line,
        _column(lines, place.line, place.column),
        place.end_line,
        _column(lines, place.end_line, place.end_column),
        raw.code,
        raw.message,
        chain,
    )


def _column(lines: list[str], line: int, offset: int) -> int:
    """Return the column, from 1, of an offset in UTF-8."""
    text = lines[line - 1] if line <= len(lines) else ""
    return len(text.encode()[:offset].decode(errors="ignore")) + 1


def _shown(path: str) -> str:
    """Return a path as it is shown: from the working folder on, where it is below that."""
    here = os.getcwd()
    return os.path.relpath(path, here) if path.startswith(f"{here}{os.sep}") else path


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """Keep Python from looking through trees for garbage again and again, for the time of a block."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
