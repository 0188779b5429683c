"""The messages of one recipient. Adding, acknowledging and removing cost the same at any depth.

They are linked twice, in the order of their numbers: all of them, and the unread ones. Read ones also stand in a heap
by number, so that the oldest leaves first whatever the order of reading was.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime

from observatory.messages import MailboxStats, Message


class Entry:
    """A message in its mailbox."""

    __slots__ = ("accepted", "live", "message", "newer", "newer_unread", "older", "older_unread", "sequence", "size")

    def __init__(self, message: Message, sequence: int, size: int) -> None:
        self.message = message
        self.sequence = sequence
        self.size = size
        self.accepted: datetime | None = None  # of a message from a clock that was ahead: it must become old, too
        self.live = not message.read  # unread, and in the mailbox: lanes look here before they deliver
        self.older: Entry | None = None
        self.newer: Entry | None = None
        self.older_unread: Entry | None = None
        self.newer_unread: Entry | None = None

    @property
    def since(self) -> datetime:
        """When it was accepted."""
        return self.accepted or self.message.timestamp

    def unlink(self) -> None:
        """Let go of the neighbours."""
        self.older = self.newer = self.older_unread = self.newer_unread = None


class Mailbox:
    """The messages of one recipient."""

    __slots__ = ("by_id", "bytes", "count", "newest", "newest_unread", "oldest_unread", "read", "unread")

    def __init__(self) -> None:
        self.by_id: dict[str, Entry] = {}
        self.newest: Entry | None = None
        self.newest_unread: Entry | None = None
        self.oldest_unread: Entry | None = None
        self.read: list[tuple[int, Entry]] = []  # heap
        self.unread = 0
        self.count = 0  # messages, those counted in that are not committed yet
        self.bytes = 0  # likewise

    def add(self, entry: Entry) -> None:
        """Add the newest message."""
        self.by_id[entry.message.id] = entry
        last = entry.older = self.newest
        if last is not None:
            last.newer = entry
        self.newest = entry
        if not entry.live:
            heapq.heappush(self.read, (entry.sequence, entry))
            return
        self.unread += 1
        last = entry.older_unread = self.newest_unread
        if last is None:
            self.oldest_unread = entry
        else:
            last.newer_unread = entry
        self.newest_unread = entry

    def mark_read(self, entry: Entry) -> None:
        """Make a message a read one."""
        self._take_out_of_unread(entry)
        old = entry.message
        entry.message = Message(
            old.id, old.from_, old.to, old.content, old.timestamp, type=old.type, read=True, metadata=old.metadata
        )
        heapq.heappush(self.read, (entry.sequence, entry))

    def expire(self, entry: Entry) -> None:
        """Remove an unread message."""
        self._take_out_of_unread(entry)
        self.count -= 1
        self.bytes -= entry.size
        self.remove(entry)

    def _take_out_of_unread(self, entry: Entry) -> None:
        older, newer = entry.older_unread, entry.newer_unread
        if older is None:
            self.oldest_unread = newer
        else:
            older.newer_unread = newer
        if newer is None:
            self.newest_unread = older
        else:
            newer.older_unread = older
        entry.older_unread = entry.newer_unread = None
        entry.live = False
        self.unread -= 1

    def remove(self, entry: Entry) -> None:
        """Remove a message that is not unread any more."""
        older, newer = entry.older, entry.newer
        if older is not None:
            older.newer = newer
        if newer is None:
            self.newest = older
        else:
            newer.older = older
        entry.unlink()  # a stuck lane may hold it for long, and must not hold its neighbours with it
        del self.by_id[entry.message.id]

    def walk(self, *, before: Entry | None, unread_only: bool) -> Iterator[Message]:
        """Go through the messages, newest first."""
        entry = before.older if before else self.newest_unread if unread_only else self.newest
        while entry is not None:
            if not unread_only:
                yield entry.message
                entry = entry.older
            elif entry.live:
                yield entry.message
                entry = entry.older_unread
            else:
                entry = entry.older

    def stats(self, now: datetime) -> MailboxStats:
        """Return the figures."""
        oldest = self.oldest_unread
        if oldest is None:
            return MailboxStats(len(self.by_id), 0, None)
        age = (now - oldest.message.timestamp).total_seconds()
        return MailboxStats(len(self.by_id), self.unread, max(age, 0.0))  # it may come from a clock ahead of ours

    def audit(self) -> bool:
        """Tell whether counts and links agree."""
        linked = sum(1 for _ in self.walk(before=None, unread_only=False))
        unread = sum(1 for _ in self.walk(before=None, unread_only=True))
        return linked == len(self.by_id) == self.count and unread == self.unread == linked - len(self.read)
