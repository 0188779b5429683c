"""The checks: every law, with everything that is wrong at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from observatory_inbox.checks.inbox import InboxCheck
from observatory_inbox.checks.outbox import OutboxCheck
from observatory_inbox.checks.teams import TeamsCheck

from observatory import CheckFactory
from observatory.testing import CheckConformance

HOUR = 3600.0
AHEAD = 37  # hours that the checks' clock is ahead: when a file got its name cannot be set back
HOSTILE = "\x1b[2J\n‮evil'\udcff.json"


def write(path: Path, text: str = "", *, mode: int = 0o600, age: float = 60.0) -> None:
    """Write a file of that age and mode, in folders of mode 0700."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700)
    path.write_text(text)
    path.chmod(mode)
    os.utime(path, (time.time() - age,) * 2)


def message(number: int, to: str = "bob", timestamp: str = "2026-01-01T00:00:00+00:00") -> str:
    """Return a message as JSON."""
    return json.dumps(
        {
            "type": "message",
            "from": "ann",
            "content": "hello",
            "message_type": "text",
            "metadata": {},
            "id": f"{number:016x}",
            "session_id": to,
            "timestamp": timestamp,
        }
    )


class Later(CheckConformance):
    """A check that is asked when temporary files have become old."""

    @pytest.fixture(autouse=True)
    def wait(self, later: Callable[[float], None]) -> None:
        """Let them become old."""
        later(AHEAD)


class TestInbox(Later):
    """The check of the inbox."""

    @pytest.fixture
    def check_factory(self) -> CheckFactory:
        """Return what the plugin registers."""
        return InboxCheck

    def spoil(self, root: Path) -> None:
        """Leave everything there that does not belong there."""
        inbox = root / "inbox"
        write(inbox / "bob" / f"{1:016x}.json", message(1), mode=0o644)
        write(inbox / "bob" / f"{2:016x}.json", message(2, timestamp="2126-01-01T00:00:00+00:00"))
        write(inbox / "bob" / f"{3:016x}.json", "{", age=3)
        write(inbox / "bob" / f"{4:016x}.json", "[]", age=-(AHEAD + 1) * HOUR)
        write(inbox / "bob" / HOSTILE)
        write(inbox / "bob" / ".01234567-0.tmp", mode=0o666)
        write(inbox / "bob" / ".01234567-1.tmp")
        write(inbox / "bob" / ".claimed.tmp")
        write(root / "outside", mode=0o644)
        os.link(root / "outside", inbox / "bob" / f"{8:016x}.json")
        (inbox / "bob" / f"{5:016x}.json").symlink_to("/etc/passwd")
        (inbox / "bob" / f"{6:016x}.json").mkdir()
        os.mkfifo(inbox / "bob" / f"{7:016x}.json")
        (inbox / "-x").mkdir()
        (inbox / "-x").chmod(0o777)
        (inbox / "no name").mkdir()
        (inbox / "link").symlink_to("bob")
        write(inbox / HOSTILE)
        inbox.chmod(0o755)
        write(inbox / "ghost@night" / f"{9:016x}.json", message(9, "ghost@night"))
        write(root / "teams" / "night" / "config.json", json.dumps({"members": [{"name": "\x1b[2J\n"}]}))


class TestOutbox(Later):
    """The check of the outbox."""

    @pytest.fixture
    def check_factory(self) -> CheckFactory:
        """Return what the plugin registers."""
        return OutboxCheck

    def spoil(self, root: Path) -> None:
        """Leave responses that nobody takes, and what is none."""
        outbox = root / "outbox"
        write(outbox / ".quarantine" / "bob-1.json", "?")
        write(outbox / ".quarantine" / "bob-1.json.reason", "not JSON")
        write(outbox / "bob" / "1.json", "{}", age=8 * 24 * HOUR, mode=0o644)
        write(outbox / "bob" / "2.json", "{}", age=-(AHEAD + 1) * HOUR)
        write(outbox / "bob" / f".{1:016x}.json", "{}")
        (outbox / "bob" / "3.json").symlink_to("/etc/passwd")
        write(outbox / HOSTILE)
        (outbox / "no name").mkdir()
        outbox.chmod(0o755)


class TestTeams(Later):
    """The check of team inboxes."""

    @pytest.fixture
    def check_factory(self) -> CheckFactory:
        """Return what the plugin registers."""
        return TeamsCheck

    def spoil(self, root: Path) -> None:
        """Leave locks, temporary files, strangers' inboxes and damaged ones."""
        team = root / "teams" / "night"
        inboxes = team / "inboxes"
        write(team / "config.json", json.dumps({"name": "night", "members": [{"name": "bob"}, {"name": "ann"}]}))
        write(inboxes / "bob.json", json.dumps([{}] * 950))
        write(inboxes / "ann.json", "[", mode=0o644)
        write(inboxes / "bob.json.unreadable-20260101T000000.000000Z", "[")
        write(inboxes / "cyd.json", "[]", age=-(AHEAD + 1) * HOUR)
        write(inboxes / HOSTILE, "[]")
        write(inboxes / ".0123abcd-17.tmp")
        write(inboxes / "dan.json.lock" / "inside")
        for lock in (inboxes / "bob.json.lock", inboxes / f"{HOSTILE}.lock"):
            lock.mkdir()
        write(inboxes / "eve.json.lock")
        for lock in inboxes.glob("*.lock"):
            os.utime(lock, (time.time() - 11,) * 2)
        write(root / "teams" / "gone" / "inboxes" / "bob.json", "[]")
        write(root / "teams" / "day" / "config.json", "{")
        write(root / "teams" / "day" / "inboxes" / "bob.json", "[]")
