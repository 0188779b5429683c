"""What was found out about files, by their content: the same bytes are not read twice."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from observatory_lint import facts, looking
from observatory_lint.facts import Facts
from observatory_lint.looking import Look

NAME = ".observatory_lint_cache"
"""The folder of the cache, in the folder of the project; git leaves it alone."""

_FILE = "results.json"


class Entry(NamedTuple):
    """What is known of one content."""

    facts: Facts | None
    """What stands in it; None when it cannot be read."""
    fault: tuple[int, str] | None
    """The line and the reason when it cannot be read."""
    look: Look | None
    """What a close look has shown; None as long as nobody has looked."""


class Cache:
    """One file of results.

    Args:
        folder: where it stands; None to remember nothing.
        settings: what results depend on besides content, the rules and Python.
    """

    def __init__(self, folder: Path | None, settings: str) -> None:
        self._folder = folder
        self._key = f"{sys.version} {_rules()} {settings}"
        self._rows: dict[str, list[Any]] = self._load()
        self._used: dict[str, Entry] = {}
        self._changed = False

    def get(self, digest: str) -> Entry | None:
        """Return what is known of a content; None when nothing is."""
        known = self._used.get(digest)
        if known is None and digest in self._rows:
            try:
                known = self._used[digest] = _entry(self._rows[digest])
            except (TypeError, ValueError, AttributeError, KeyError):  # damaged, and valid JSON all the same
                return None
        return known

    def put(self, digest: str, entry: Entry) -> None:
        """Remember what is known of a content."""
        self._used[digest] = entry
        self._rows.pop(digest, None)
        self._changed = True

    def save(self) -> None:
        """Write down what was used, if anything is new; where that is not possible, the next run works without."""
        if self._folder is None or not (self._changed or len(self._used) != len(self._rows)):
            return
        rows = {digest: self._rows.get(digest) or _row(entry) for digest, entry in self._used.items()}
        with suppress(OSError):
            _write(self._folder, json.dumps({"key": self._key, "files": rows}, separators=(",", ":")))

    def _load(self) -> dict[str, list[Any]]:
        if self._folder is None:
            return {}
        try:
            stored = json.loads((self._folder / _FILE).read_bytes())
            if stored["key"] == self._key and isinstance(stored["files"], dict):
                return dict(stored["files"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            pass  # there is none yet, or it is damaged: it will be written anew
        return {}


def digest_of(data: bytes) -> str:
    """Return what a content is known by."""
    return blake2b(data, digest_size=16).hexdigest()


def _entry(row: list[Any]) -> Entry:
    known, fault, look = row
    return Entry(
        None if known is None else facts.load(known),
        None if fault is None else (int(fault[0]), str(fault[1])),
        None if look is None else looking.load(look),
    )


def _row(entry: Entry) -> list[Any]:
    return [
        None if entry.facts is None else facts.dump(entry.facts),
        entry.fault,
        None if entry.look is None else looking.dump(entry.look),
    ]


def _rules() -> str:
    """Return what changes when the rules do: the sizes and times of this package's files."""
    folder = Path(__file__).parent
    stats = [(file.name, file.stat()) for file in sorted(folder.rglob("*.py"))]
    return digest_of(repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]).encode())


def _write(folder: Path, text: str) -> None:
    """Write the cache as a whole, or not at all."""
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, folder / _FILE)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
