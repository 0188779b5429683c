"""Every code: what it finds, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Code(NamedTuple):
    """One code."""

    code: str
    """Such as `OBS101`."""
    name: str
    """A few words, in kebab case."""
    why: str
    """What is lost where it is found."""
    wrong: str
    """Source that it finds."""
    right: str
    """Source that does the same without it."""
    mend: str
    """What to do."""


_HEAD = "from observatory import Module\n\n\n"

CATALOGUE = (
    Code(
        "OBS101",
        "imports-persistence",
        "What an ephemeral module keeps is gone with the process; a database brings schemas, migrations and waits.",
        "import sqlite3",
        "from collections import deque",
        "Keep a table in memory. What has to last is the storage backend's business, or a delivery channel's.",
    ),
    Code(
        "OBS102",
        "reaches-persistence",
        "A library that comes in through a helper is there all the same; the chain says which import to cut.",
        "from project.helpers import save  # helpers.py: import sqlite3",
        "from project.values import Note  # values.py imports no library",
        "Move what the module needs into a file that does not import the library, and import that.",
    ),
    Code(
        "OBS103",
        "imports-persistence-dynamically",
        "A library that is imported by name is as much in the process as one that is imported plainly.",
        'importlib.import_module("sqlite3")',
        'importlib.import_module("json")',
        "Keep a table in memory instead.",
    ),
    Code(
        "OBS104",
        "imports-the-unknown",
        "Whether the rule holds cannot be told of a module that imports what it is handed.",
        "importlib.import_module(name)",
        "import json",
        "Import by a constant name, or let the application hand in what was imported.",
    ),
    Code(
        "OBS105",
        "declares-a-model",
        "A model ties what is coordinated to a schema: it cannot change without a migration.",
        'class Note(Base):\n    __tablename__ = "notes"',
        "@attrs.frozen\nclass Note:\n    text: str",
        "Make it a frozen value, and keep it in the module's table.",
    ),
    Code(
        "OBS106",
        "writes-files",
        "Files are written by delivery channels and storage backends, off the event loop, where failures have a place.",
        'Path("notes.json").write_text(text)',
        "self._table[key] = note",
        "Publish an event, and let a delivery channel write it; reading a file is allowed.",
    ),
    Code(
        "OBS107",
        "drives-a-database",
        "A database behind a command line is a database.",
        'await trio.run_process(["sqlite3", "notes.db", command])',
        "self._table[key] = note",
        "Keep a table in memory instead.",
    ),
    Code(
        "OBS201",
        "too-long",
        "What does one thing fits into 300 lines; what is longer does two.",
        "a file of 301 lines",
        "two files",
        "Move a part to a file of its own beside it.",
    ),
    Code(
        "OBS202",
        "not-registered",
        "A module that nobody starts serves nobody.",
        f"{_HEAD}class AgentNotes(Module): ...  # and no hook names it",
        '@hookimpl\ndef observatory_register_modules(registrar):\n    registrar.register("AgentNotes", AgentNotes)',
        "Register it by the hook `observatory_register_modules`, or put it into the application's list.",
    ),
    Code(
        "OBS203",
        "registers-no-module",
        "What is registered is made when an Observatory opens, and there it fails.",
        'registrar.register("AgentNotes", dict)',
        'registrar.register("AgentNotes", AgentNotes)',
        "Register a class that derives from `observatory.Module`, or a function that makes one.",
    ),
    Code(
        "OBS204",
        "canonical-missing",
        "Mailbox, SwarmMonitor and Notes are always there; others rely on them.",
        "modules = [Mailbox, Notes]",
        "modules = [Mailbox, SwarmMonitor, Notes]",
        "Put it back into the application's list.",
    ),
    Code(
        "OBS205",
        "no-table-or-run",
        "A module is a task that owns a table; without the one or the other a plain function would do.",
        f"{_HEAD}class AgentNotes(Module):\n    def __init__(self, context):\n        self._context = context",
        f"{_HEAD}class AgentNotes(Module):\n    def __init__(self, context):\n        self._table = {{}}\n\n"
        "    async def run(self, *, task_status): ...",
        "Make the table in `__init__`, and serve it in `run`.",
    ),
    Code(
        "OBS301",
        "shared-state",
        "Two Observatories in one process, and two tests in one run, must not see each other.",
        "_TABLE = {}\n\n\ndef write(key, note):\n    _TABLE[key] = note",
        "def write(self, key, note):\n    self._table[key] = note",
        "Give the state to the object that owns it. Constants and `ContextVar`s may stay.",
    ),
    Code(
        "OBS900",
        "cannot-be-read",
        "Of a file that is no Python nothing can be told.",
        "def :",
        "def run(): ...",
        "Mend the file; what is newer than the Python that reads is an error here: run the lint under that Python.",
    ),
    Code(
        "OBS901",
        "noqa-without-reason",
        "Whoever meets an exception wants to know whether it still holds.",
        "import sqlite3  # noqa: OBS101",
        "import sqlite3  # noqa: OBS101 -- the example shows what is not allowed",
        "Say why, behind two dashes.",
    ),
    Code(
        "OBS902",
        "noqa-without-effect",
        "A comment that suppresses nothing will hide what somebody writes there later.",
        "import json  # noqa: OBS101 -- once a database",
        "import json",
        "Remove the comment.",
    ),
)
"""All codes, in order."""

CODES = tuple(entry.code for entry in CATALOGUE)
"""Their numbers."""


def hint(code: str) -> str:
    """Return what to say of a code that there is not: those that begin so, or the nearest, or all."""
    upper = code.upper()
    near = [known for known in CODES if known.startswith(upper)] or nearest(upper, CODES)
    return f"; did you mean {', '.join(near)}?" if near else f"; known are {', '.join(CODES)}"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the name that is nearest to one that there is not, or nothing."""
    from difflib import get_close_matches  # late, since it is for errors only

    return get_close_matches(name, known, 1)
