"""The check `teams`: inboxes of Claude Code's teams, and the locks on them.

What is in `teams/` is Claude Code's: only a lock that everybody may take, and our temporary files, are ever removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Generator
from datetime import UTC, datetime, timedelta
from functools import partial

from observatory import Context, quoted
from observatory_inbox.checks.mending import status_of, unlock
from observatory_inbox.checks.shared import NEARLY, FolderCheck, Some
from observatory_inbox.files.access import read_file
from observatory_inbox.files.listing import entries_of, is_temporary, kind_of
from observatory_inbox.teams.format import UnreadableError, file_name, read_entries, read_roster
from observatory_inbox.teams.lock import STALE
from observatory_inbox.teams.team import CONFIG, CONFIG_BYTES, INBOXES

_SUFFIX = ".json"
_LOCK = f"{_SUFFIX}.lock"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SETTLED = 3600.0
"""Seconds after which a folder without a config is not one of a team that is just being made."""

_is_copy = re.compile(r".+\.json\.unreadable-\d{8}T[0-9.]+Z").fullmatch
"""Match the names of copies of inboxes that could not be read."""


class TeamsCheck(FolderCheck):
    """Looks into `{root}/teams/*/inboxes`.

    Args:
        context: what the doctor hands to a check.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, "teams")

    def looks(self) -> Generator[int, None, None]:
        """Look at every inbox of every team."""
        with self.opened(self.folder, None, self.folder) as teams:
            if teams is None:
                return
            for name in sorted(self._all_teams(teams)):
                with self.opened(name, teams, os.path.join(self.folder, name)) as team:
                    if team is not None:
                        yield from self._team(name, team)

    def _all_teams(self, teams: int) -> Generator[str, None, None]:
        for entry in self.listed(teams, self.folder):
            if kind_of(entry) == "directory":
                yield entry.name

    def _team(self, name: str, team: int) -> Generator[int, None, None]:
        path = os.path.join(self.folder, name, INBOXES)
        with self.opened(INBOXES, team, path) as inboxes:
            if inboxes is None:
                return
            members = self._members(name, team)
            leftovers, future = Some(), Some()
            for entry in self.listed(inboxes, path):
                status = status_of(entry)
                if status is None:
                    continue
                if self.is_ahead(status.st_mtime):
                    future.add(entry.name)
                if is_temporary(entry.name) and kind_of(entry) == "file" and self.is_left(status):
                    leftovers.add(entry.name)
                yield self._entry(entry, status, name, inboxes, members)
        self.note_future(future, name, INBOXES)
        self.note_leftovers(leftovers, name, INBOXES)

    def _members(self, name: str, team: int) -> Collection[str] | None:
        """Return what the inboxes of a team's members are called, or None when that cannot be told."""
        path = os.path.join(self.folder, name, CONFIG)
        try:
            raw = read_file(CONFIG, team, CONFIG_BYTES)
            if raw is None:
                raise UnreadableError(f"no file of at most {CONFIG_BYTES:,} bytes")
            return {file_name(member.name) for member in read_roster(raw).members}
        except FileNotFoundError:
            if self.now - os.fstat(team).st_mtime > _SETTLED:
                folder = os.path.dirname(path)
                problem = f"holds inboxes, and is no team: it has no {CONFIG}"
                self.found.add("folders of no team", folder, problem, self.aside(folder))
        except (OSError, UnreadableError) as error:
            remedy = "restart the team's session, which writes it"
            self.found.add("teams that cannot be read", path, f"cannot be read: {_line(error)}", remedy)
        return None

    def _entry(
        self, entry: os.DirEntry[str], status: os.stat_result, team: str, inboxes: int, members: Collection[str] | None
    ) -> int:
        """Look at one entry of a team's inboxes, and return the bytes that were read."""
        name = entry.name
        if name.endswith(_LOCK):
            self._lock(entry, status, team, inboxes)
        elif _is_copy(name):
            why = "is a copy of an inbox that could not be read"
            self.note_stray("file", team, INBOXES, name, why=why)
        elif name.endswith(_SUFFIX):
            if kind_of(entry) != "file":
                self.note_stray(kind_of(entry), team, INBOXES, name)
                return 0
            if members is not None and name.removesuffix(_SUFFIX) not in members:
                why = f"is the inbox of no member that {CONFIG} names"
                self.note_stray("file", team, INBOXES, name, why=why)
            return self._inbox(name, status, team, inboxes)
        return 0

    def _lock(self, entry: os.DirEntry[str], status: os.stat_result, team: str, inboxes: int) -> None:
        names = team, INBOXES, entry.name
        if kind_of(entry) != "directory":
            why = "is in the place of a lock, which is a folder: Claude Code waits for it without end"
            self.note_stray("file", *names, why=why)
        elif status.st_mtime < self.now - STALE:
            path = os.path.join(self.folder, *names)
            problem = f"is a lock that nobody has refreshed since {_at(status.st_mtime)}"
            empty = self._is_empty(entry.name, path, inboxes)
            if empty:
                fix = partial(unlock, self.folder, *names, stale=STALE)
                self.found.add("locks", path, problem, f"rmdir {quoted(path)}", fix)
            elif empty is not None:
                problem += ", and cannot be removed by others, since something is in it"
                self.found.add("locks", path, problem, self.aside(path))

    def _is_empty(self, name: str, path: str, inboxes: int) -> bool | None:
        """Return whether others can remove a lock; None when it is gone, or nobody can tell, which is noted."""
        with self.opened(name, inboxes, path) as lock:
            if lock is None:
                return None
            try:
                return not any(entries_of(lock))
            except OSError as error:
                self.note_closed(error, path)
                return None

    def _inbox(self, name: str, status: os.stat_result, team: str, inboxes: int) -> int:
        path = os.path.join(self.folder, team, INBOXES, name)
        self._note_bound(path, status.st_size, self.settings.team_max_bytes, "bytes")
        try:
            raw = read_file(name, inboxes, self.settings.team_max_bytes)
            if raw is None:
                return 0
            self._note_bound(path, read_entries(raw).count, self.settings.team_max_entries, "entries")
        except FileNotFoundError:
            return 0
        except (OSError, UnreadableError) as error:
            if self.now - status.st_mtime > STALE:  # or whoever writes it holds the lock, and is not done
                problem = f"cannot be read: {_line(error)}"
                self.found.add("team inboxes that cannot be read", path, problem, self.aside(path))
        return status.st_size

    def _note_bound(self, path: str, value: int, bound: int, what: str) -> None:
        if value >= NEARLY * bound:
            problem = (
                f"{value:,} {what} of at most {bound:,} (plugins.inbox.team_max_{what}): what comes beyond is refused, "
                "so move it away once its member has read it"
            )
            self.found.add("team inboxes that are nearly full", path, problem, self.aside(path))


def _line(error: OSError | UnreadableError) -> str:
    return " ".join(str(error.strerror if isinstance(error, OSError) else error).split())


def _at(seconds: float) -> str:
    try:
        return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # a file may claim any time
        return "a time before all calendars"
