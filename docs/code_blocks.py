"""A pytest plugin that does what the pages say, as a reader would.

Python is run as it stands. A block with a caption is a file of that name: it is written, and a `diff` changes it. In
consoles, lines that begin with `$ ` are run, and what stands below a command is what it prints; `...` stands for
anything.

Each page has a namespace, variables and an empty root of its own, and runs in a directory with nothing in it but
`observatory`, which is the checkout.
"""

import doctest
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.myst import SkipParser
from sybil.parsers.myst.lexers import DirectiveLexer

_CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_BEFORE = "before this page"
_PATIENCE = 120  # seconds; some commands install packages


def _files(document: Document) -> Iterator[Region]:
    """Find the blocks with a caption."""
    for region in DirectiveLexer("code-block")(document):
        region.parsed, region.evaluator = region.lexemes["source"], _write
        yield region


def _write(example: Example) -> None:
    path, text = Path(example.region.lexemes["options"]["caption"]), example.parsed
    if example.region.lexemes["arguments"] == "diff":
        text = _changed(path.read_text("utf-8"), text)
    path.write_text(text, "utf-8")


def _changed(text: str, diff: str) -> str:
    """Return a file's text after a diff without numbers of lines: what it begins with has to stand there once."""
    for part in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = [line if line.strip() else f" {line}" for line in part.splitlines(keepends=True)]
        old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
        assert text.count(old) == 1 or not lines, f"this stands {text.count(old)} times in the file:\n{old}"
        text = text.replace(old, new) if lines else text
    return text


def _run_console(example: Example) -> None:
    """Run every command of a console; its exit code must be 0, and what it prints what is shown, if anything is."""
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", example.parsed, re.MULTILINE):
        printed = _run(command)
        matches = doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        assert matches or not shown, f"{command} printed:\n{printed}"


def _run(command: str) -> str:
    """Run a command where the one before has left off, with the directory and the variables as it has left them."""
    with tempfile.NamedTemporaryFile("r") as after:
        done = subprocess.run(
            ["bash", "-ec", f"{command}\nenv -0 > {after.name}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_PATIENCE,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}, and printed:\n{done.stdout}"
        _set(dict(variable.split("=", 1) for variable in after.read().split("\0") if variable))
    os.chdir(os.environ["PWD"])
    return done.stdout


def _set(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def _enter(namespace: dict[str, Any]) -> None:
    folder = tempfile.TemporaryDirectory(prefix="observatory-docs-")
    namespace[_BEFORE] = (folder, os.getcwd(), dict(os.environ))
    os.chdir(folder.name)
    os.symlink(_CHECKOUT, "observatory")
    os.environ["CLAUDE_CONFIG_DIR"] = os.path.join(folder.name, "root")
    os.environ.pop("PYTHONPATH", None)  # this module is found by it


def _leave(namespace: dict[str, Any]) -> None:
    folder, directory, variables = namespace[_BEFORE]
    os.chdir(directory)
    _set(variables)
    folder.cleanup()


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("console", _run_console),
        _files,
        SkipParser(),
    ],
    patterns=["*.md"],
    path=_CHECKOUT,
    setup=_enter,
    teardown=_leave,
).pytest()
