"""The check `inbox`: what is in the folders of recipients, judged as recovery does."""

from __future__ import annotations

import os
from collections.abc import Generator
from datetime import datetime

import attrs

from observatory import MESSAGE_OVERHEAD, Context, Message, quoted
from observatory_inbox.adopting.survey import GRACE
from observatory_inbox.checks.mending import status_of
from observatory_inbox.checks.shared import NEARLY, FolderCheck, Some
from observatory_inbox.files.format import SUFFIX, is_file_name, is_name
from observatory_inbox.files.listing import is_temporary, kind_of
from observatory_inbox.mail.recovery import Recovery, Refusal
from observatory_inbox.teams.team import (
    CONFIG_BYTES,
    Address,
    NotDeliveredError,
    UnknownMemberError,
    address_of,
    find_member,
)


@attrs.define
class _Mail:
    """What was seen so far in one recipient's folder."""

    messages: int = 0
    size: int = 0
    oldest: datetime | None = None
    leftovers: Some = attrs.Factory(Some)
    open: Some = attrs.Factory(Some)
    future: Some = attrs.Factory(Some)


class InboxCheck(FolderCheck):
    """Looks into `{root}/inbox`.

    Args:
        context: what the doctor hands to a check.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, "inbox")
        self._bounds = context.bounds

    def looks(self) -> Generator[int, None, None]:
        """Look at every file of every recipient."""
        self._reader = Recovery(self.folder, self.settings.max_file_bytes, self.now)
        with self.opened(self.folder, None, self.folder) as inbox:
            if inbox is None:
                return
            self.look_at_mode(inbox)
            folders: list[str] = []
            for entry in self.listed(inbox, self.folder):
                kind = kind_of(entry)
                if kind != "directory":
                    self.note_stray(kind, entry.name)
                elif is_name(entry.name):
                    folders.append(entry.name)
                else:
                    self.note_stray(kind, entry.name, why="is not named like a recipient")
                yield 0
            for name in sorted(folders):
                yield from self._recipient(name, inbox)

    def _recipient(self, to: str, inbox: int) -> Generator[int, None, None]:
        mail = _Mail()
        with self.opened(to, inbox, self._path(to)) as directory:
            if directory is None:
                return
            self.look_at_mode(directory, to)
            for entry in self.listed(directory, self._path(to)):
                yield self._entry(entry, to, directory, mail)
        self.note_leftovers(mail.leftovers, to)  # before the modes: to change one is to have it in hand
        self.note_modes(mail.open, to)
        self.note_future(mail.future, to)
        self._note_bounds(mail, to)
        yield self._note_orphan(mail, to)

    def _entry(self, entry: os.DirEntry[str], to: str, directory: int, mail: _Mail) -> int:
        """Look at one entry of a recipient's folder, and return the bytes that were read."""
        name, status = entry.name, status_of(entry)
        if status is None:
            return 0
        if (kind := kind_of(entry)) != "file":
            self.note_stray(kind, to, name)
            return 0
        self.look_at_file(status, mail.open, to, name)
        if is_temporary(name) and self.is_left(status):
            mail.leftovers.add(name)
        elif name.startswith(".") and name.endswith(".tmp"):
            pass  # in somebody's hands, or another program's
        elif not is_file_name(name):
            self.note_stray(kind, to, name, why="is not named like a message")
        else:
            return self._message(name, status, to, directory, mail)
        return 0

    def _message(self, name: str, status: os.stat_result, to: str, directory: int, mail: _Mail) -> int:
        found, read = self._reader.read(name.removesuffix(SUFFIX), to, directory)
        latest = status.st_mtime
        if isinstance(found, Message):
            latest = max(latest, found.timestamp.timestamp())
            mail.messages += 1
            mail.size += read + MESSAGE_OVERHEAD
            mail.oldest = min(mail.oldest or found.timestamp, found.timestamp)
        elif isinstance(found, Refusal) and not 0 <= self.now - latest < GRACE:  # it may be half written
            self.note_stray("file", to, name, why=f"cannot be adopted ({found.reason}): {found.why}")
        if self.is_ahead(latest):
            mail.future.add(name)
        return read

    def _note_bounds(self, mail: _Mail, to: str) -> None:
        for value, bound, what in (
            (mail.messages, self._bounds.max_messages, "messages"),
            (mail.size, self._bounds.max_bytes, "bytes"),
        ):
            if value >= NEARLY * bound:
                rest = f": {value - bound:,} are left behind in files" if value > bound else ""
                problem = f"{value:,} unread {what}, and a mailbox holds {bound:,} (mailbox.max_{what}){rest}"
                self.found.add("inboxes that are nearly full", self._path(to), problem, self._reading(mail, to))

    def _note_orphan(self, mail: _Mail, to: str) -> int:
        """Note mail that nobody reads, and return the bytes that were read for that, at the most."""
        if mail.oldest is None:
            return 0
        address = address_of(to) if self.settings.team_inboxes else None
        why = None if address is None else self._stranger(address)
        if why is not None:
            problem = f"{mail.messages:,} unread, and no member of a team is named so: {why}"
            remedy = f"send on what is still wanted, and {self._reading(mail, to)}"
            self.found.add("inboxes of nobody", self._path(to), problem, remedy)
        elif self.now - mail.oldest.timestamp() > self.settings.orphan_age:
            problem = f"nobody has read its mail since {mail.oldest:%Y-%m-%d %H:%M} UTC: is there still a reader?"
            self.found.add("inboxes without a reader", self._path(to), problem, self._reading(mail, to))
        return 0 if address is None else CONFIG_BYTES

    def _stranger(self, address: Address) -> str | None:
        """Return why nobody has this address; None when somebody has it, or that cannot be told."""
        try:
            find_member(os.path.join(self.root, "teams"), address)
        except UnknownMemberError as error:
            text = str(error)
            return text if text.isprintable() else repr(text)[1:-1]  # a config names members as it likes
        except (NotDeliveredError, OSError):
            pass  # the check of the teams names it
        return None

    def _reading(self, mail: _Mail, to: str) -> str:
        """Say how an agent's mail is read; whether it was is for somebody to decide, and storage has to be told."""
        agent = f"-- {to}" if to.startswith("-") else to
        listed = f"observatory inbox --limit {mail.messages} --root {quoted(self.root)} {agent}"
        return f"acknowledge what was read, with the settings that the service runs with; this lists it: {listed}"

    def _path(self, to: str) -> str:
        return os.path.join(self.folder, to)
