"""The lint of the plain-module rule on a tree of 885 files: against parsing them, and beside the others."""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from harness import Figure, Options, at_least, at_most, interleave, speeds
from observatory_lint import check

_WITHOUT = {"test", "tests", "lib2to3", "site-packages", "idlelib", "turtledemo", "__pycache__"}
_OTHERS = {
    "ruff": ["check", "--isolated", "--no-cache", "--select", "E,F,B", "--exit-zero", "-q"],
    "flake8": ["--isolated", "-j1", "--exit-zero", "-q", "--select", "E9"],
}


def measure(options: Options) -> Iterator[Figure]:
    """Measure on a copy of what is installed with Python: it has every kind of file."""
    tree = options.make_folder() / "tree"
    files = _copy(tree, options.size(885, 20))
    tree.joinpath("pyproject.toml").write_text("[tool.observatory.lint]\n")  # a project of its own
    cold = [str(tree)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, bare = interleave(
            options, lambda: _timed(check, cold, cached=False), lambda: _timed(_parse_and_walk, files)
        )
    yield Figure("lint, cold", "ast.parse and a walk", speeds(ours, bare), at_least(0.5))
    yield Figure("  files", "", [len(files) / seconds for seconds in ours], unit="files/s")
    check(cold)
    (warm,) = interleave(options, lambda: _timed(check, cold))
    rates = [len(files) / seconds for seconds in warm]
    yield Figure("lint, warm, without start-up", "", rates, at_least(5_000), "files/s")
    command = [sys.executable, "-m", "observatory_lint", str(tree)]
    (whole,) = interleave(options, lambda: _timed(_run, command))
    yield Figure("observatory-lint, warm", "", whole, at_most(0.5), "s")
    (changed,) = interleave(options, lambda: _change(files[0], command))
    yield Figure("observatory-lint, one file changed", "", changed, at_most(0.5), "s")
    yield from _beside([str(file) for file in files[:100]])


def _beside(files: Sequence[str]) -> Iterator[Figure]:
    """Measure what others do with some of the files, once each, where they are installed."""
    for name, arguments in _OTHERS.items():
        if find_spec(name):
            seconds = _timed(_run, [sys.executable, "-m", name, *arguments, *files])
            yield Figure(f"  {name}, cold", "", [len(files) / seconds], unit="files/s")


def _copy(tree: Path, count: int) -> list[Path]:
    """Copy files of the standard library until there are enough, and return the copies; no two are the same."""
    library = Path(sysconfig.get_path("stdlib"))
    wanted = [path for path in sorted(library.rglob("*.py")) if _WITHOUT.isdisjoint(path.relative_to(library).parts)]
    copies = []
    for index in range(count):
        turn, place = divmod(index, len(wanted))
        package = tree / f"package_{turn}"
        copy = package / wanted[place].relative_to(library)
        copy.parent.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        copy.write_bytes(wanted[place].read_bytes() + f"\n# {turn}\n".encode())
        copies.append(copy)
    return copies


def _parse_and_walk(files: Sequence[Path]) -> None:
    for file in files:
        for _ in ast.walk(ast.parse(file.read_bytes())):
            pass


def _change(file: Path, command: Sequence[str]) -> float:
    with file.open("a", encoding="utf-8") as end:
        end.write("\nimport json\n")
    return _timed(_run, command)


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=False, capture_output=True)


def _timed(function: Callable[..., object], *args: object, **words: object) -> float:
    start = time.perf_counter()
    function(*args, **words)
    return time.perf_counter() - start
