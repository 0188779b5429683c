"""The lint of the plain-module rule on a tree of 860 files: against parsing them, and beside the others."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import attrs
from harness import Figure, Options, at_least, at_most, interleave, speeds
from observatory_lint import check

_PACKAGES = (
    "networkx",
    "cyclopts",
    "trio",
    "cattrs",
    "structlog",
)  # installed here anyway; imports run down this list, and inside
_OURS = ("-m", "observatory_lint", ".")
_RUFF = ("-m", "ruff", "check", "--isolated", "--select", "E,F,B", "--exit-zero", "-q", ".")
_IMPORT_LINTER = ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")
_FLAKE8 = ("-m", "flake8", "--isolated", "-j1", "--exit-zero", "-q", "--select", "E9", ".")
_CONTRACTS = """
[importlinter]
root_packages = {0}
[importlinter:contract:apart]
name = Imports run down this list
type = layers
layers = {0}
"""


def measure(options: Options) -> Iterator[Figure]:
    """Measure on copies of installed packages, in a project of their own."""
    tree = options.make_folder() / "tree"
    files = _copy(tree, options.size(1_000, 20))
    whole = [str(tree)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, bare = interleave(
            options, lambda: _timed(check, whole, cached=False), lambda: _timed(_parse_and_walk, files)
        )
    yield Figure("lint, cold", "ast.parse and a walk", speeds(ours, bare), at_least(0.5))
    yield Figure("  files", "", [len(files) / seconds for seconds in ours], unit="files/s")
    yield Figure("  ast.parse and a walk", "", [len(files) / seconds for seconds in bare], unit="files/s")
    check(whole)
    (warm,) = interleave(options, lambda: _timed(check, whole))
    rates = [len(files) / seconds for seconds in warm]
    yield Figure("lint, warm, without start-up", "", rates, at_least(5_000), "files/s")
    command = partial(_run, tree, *_OURS)
    (seconds,) = interleave(options, command)
    yield Figure("observatory-lint, warm", "", seconds, at_most(0.5), "s")
    (changed,) = interleave(options, lambda: _change(files[0], command))
    yield Figure("observatory-lint, one file changed", "", changed, at_most(0.5), "s")
    yield from _beside(options, tree)


def _beside(options: Options, tree: Path) -> Iterator[Figure]:
    """Measure against others that are installed, whole commands on one core; flake8 once, since it takes that long."""
    once = attrs.evolve(options, pairs=1)
    for ours, other, theirs, how in [
        (("--no-cache",), "ruff", (*_RUFF, "--no-cache"), options),
        (("--no-cache",), "import-linter", (*_IMPORT_LINTER, "--no-cache"), options),
        (("--no-cache",), "flake8", _FLAKE8, once),
        ((), "ruff, warm", (*_RUFF, "--cache-dir", "../ruff"), options),
        ((), "import-linter, warm", (*_IMPORT_LINTER, "--cache-dir", "../imports"), options),
    ]:
        if find_spec(other.partition(",")[0].replace("-", "")):
            own, seconds = interleave(how, partial(_run, tree, *_OURS, *ours), partial(_run, tree, *theirs))
            yield Figure(f"observatory-lint, {'cold' if ours else 'warm'}", other, speeds(own, seconds))


def _copy(tree: Path, count: int) -> list[Path]:
    """Copy files of installed packages, as many as there are up to a number, and return the copies."""
    copies: list[Path] = []
    for name in _PACKAGES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        for file in sorted(package.rglob("*.py"))[: count - len(copies)]:
            copy = tree / file.relative_to(package.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
            copies.append(copy)
    names = dict.fromkeys(copy.relative_to(tree).parts[0] for copy in copies)
    (tree / "pyproject.toml").write_text("[tool.observatory.lint]\n")
    (tree / ".importlinter").write_text(_CONTRACTS.format("".join(f"\n    {name}" for name in names)))
    return copies


def _parse_and_walk(files: Sequence[Path]) -> None:
    for file in files:
        for _ in ast.walk(ast.parse(file.read_bytes())):
            pass


def _change(file: Path, command: Callable[[], float]) -> float:
    with file.open("a", encoding="utf-8") as end:
        end.write("\nimport json\n")
    return command()


def _run(folder: Path, *arguments: str) -> float:
    """Return the seconds that a process of Python takes; what it runs has no thread besides the first."""
    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return _timed(subprocess.run, command, cwd=folder, env=environment, check=True, capture_output=True)


def _timed(function: Callable[..., object], *args: object, **words: object) -> float:
    start = time.perf_counter()
    function(*args, **words)
    return time.perf_counter() - start
