"""A pytest plugin that runs the code in the pages: Python as it stands, and `$ observatory …` lines in consoles.

Each page has a namespace and an empty root of its own, and runs in an empty directory.
"""

import os
import subprocess
import tempfile
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

_BEFORE = "before this page"


def _run_console(example: Example) -> None:
    """Run every line that begins with `$ observatory`; its exit code must be 0."""
    for line in example.parsed.splitlines():
        if line.startswith("$ observatory "):
            subprocess.run(["bash", "-c", line.removeprefix("$ ")], check=True, stdin=subprocess.DEVNULL, timeout=60)


def _enter(namespace: dict[str, Any]) -> None:
    folder = tempfile.TemporaryDirectory(prefix="observatory-docs-")
    namespace[_BEFORE] = (folder, os.getcwd(), os.environ.get("CLAUDE_CONFIG_DIR"))
    os.chdir(folder.name)
    os.environ["CLAUDE_CONFIG_DIR"] = os.path.join(folder.name, "root")


def _leave(namespace: dict[str, Any]) -> None:
    folder, directory, root = namespace[_BEFORE]
    os.chdir(directory)
    os.environ.pop("CLAUDE_CONFIG_DIR")
    if root is not None:
        os.environ["CLAUDE_CONFIG_DIR"] = root
    folder.cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser("console", _run_console), SkipParser()],
    patterns=["*.md"],
    path=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    setup=_enter,
    teardown=_leave,
).pytest()
