"""Mailboxes in memory. Sending, acknowledging, counting and evicting cost the same at any depth.

Each mailbox links its messages twice, in the order of their numbers: all of them, and the unread ones. Read
ones also stand in a heap by number, so that the oldest leaves first whatever the order of reading was.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from observatory.errors import MailboxFullError, UnknownMessageError
from observatory.messages import Message
from observatory.settings import MailboxSettings


class Entry:
    """A message in its mailbox."""

    __slots__ = ("live", "message", "newer", "newer_unread", "older", "older_unread", "sequence", "size")

    def __init__(self, message: Message, sequence: int, size: int) -> None:
        self.message = message
        self.sequence = sequence
        self.size = size
        self.live = not message.read  # unread, and in the mailbox: lanes look here before they deliver
        self.older: Entry | None = None
        self.newer: Entry | None = None
        self.older_unread: Entry | None = None
        self.newer_unread: Entry | None = None


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
        """Take an unread message out of the unread ones."""
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
        old = entry.message
        entry.message = Message(
            old.id, old.from_, old.to, old.content, old.timestamp, type=old.type, read=True, metadata=old.metadata
        )
        heapq.heappush(self.read, (entry.sequence, entry))

    def remove(self, entry: Entry) -> None:
        """Remove a read message."""
        older, newer = entry.older, entry.newer
        if older is not None:
            older.newer = newer
        if newer is None:
            self.newest = older
        else:
            newer.older = older
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

    def audit(self) -> bool:
        """Tell whether counts and links agree."""
        linked = sum(1 for _ in self.walk(before=None, unread_only=False))
        unread = sum(1 for _ in self.walk(before=None, unread_only=True))
        return linked == len(self.by_id) == self.count and unread == self.unread == linked - len(self.read)


class Table:
    """All mailboxes.

    Args:
        settings: the caps.
    """

    def __init__(self, settings: MailboxSettings) -> None:
        self._settings = settings
        self.mailboxes: dict[str, Mailbox] = {}
        self.bytes = 0
        """Bytes of all messages, those counted in that are not committed yet."""

    def reset(self) -> None:
        """Forget everything, before it is filled again."""
        self.mailboxes.clear()
        self.bytes = 0

    def make_room(self, to: str, size: int) -> list[Entry]:
        """Count a message in before it is committed, and return the read messages that must go for it.

        Raises:
            MailboxFullError: when there is no room and nothing may go; nothing is counted in then.
        """
        box = self.mailboxes.get(to)
        if box is None:
            box = self._add_mailbox(to)
        limits = self._settings
        if (
            box.count < limits.max_messages
            and box.bytes + size <= limits.max_bytes
            and self.bytes + size <= limits.max_total_bytes
        ):
            evicted: list[Entry] = []
        else:
            evicted = self._evict(to, box, size)
        box.count += 1
        box.bytes += size
        self.bytes += size
        return evicted

    def undo(self, to: str, size: int, evicted: list[Entry]) -> None:
        """Count a message out again that was not committed, and keep what should have gone."""
        box = self.mailboxes[to]
        box.count -= 1
        box.bytes -= size
        self.bytes -= size
        self.put_back(to, evicted)

    def add(self, message: Message, sequence: int, size: int) -> Entry:
        """Add a committed message for which room was made."""
        entry = Entry(message, sequence, size)
        self.mailboxes[message.to].add(entry)
        return entry

    def find(self, agent: str, message_id: str) -> Entry:
        """Find a message.

        Raises:
            UnknownMessageError: when the mailbox does not hold it.
        """
        box = self.mailboxes.get(agent)
        entry = box.by_id.get(message_id) if box else None
        if entry is None:
            raise UnknownMessageError(agent, message_id)
        return entry

    def walk(self, agent: str, before: str | None, unread_only: bool) -> Iterator[Message]:
        """Go through an agent's messages, newest first; only what is older than `before`.

        Raises:
            UnknownMessageError: when the mailbox does not hold `before`.
        """
        start = self.find(agent, before) if before is not None else None
        box = self.mailboxes.get(agent)
        return box.walk(before=start, unread_only=unread_only) if box else iter(())

    def next_unread(self, agent: str, after: str | None) -> Message | None:
        """Return an agent's oldest unread message; only one that is newer than `after`.

        Raises:
            UnknownMessageError: when the mailbox does not hold `after`.
        """
        if after is None:
            box = self.mailboxes.get(agent)
            entry = box.oldest_unread if box else None
        else:
            entry = self.find(agent, after).newer
            while entry is not None and not entry.live:
                entry = entry.newer
        return entry.message if entry else None

    def remove(self, to: str, entries: list[Entry]) -> None:
        """Remove read messages that were counted out already."""
        box = self.mailboxes[to]
        for entry in entries:
            box.remove(entry)
        self._drop_if_empty(to)

    def clear(self, agent: str) -> list[Entry]:
        """Remove a whole mailbox; return what was in it, oldest first."""
        box = self.mailboxes.pop(agent, None)
        if box is None:
            return []
        self.bytes -= box.bytes
        return list(box.by_id.values())

    def take_old(self, horizon: float, limit: int) -> dict[str, list[Entry]]:
        """Count out up to `limit` read messages from before `horizon` (POSIX seconds), by recipient."""
        taken: dict[str, list[Entry]] = {}
        for to, box in self.mailboxes.items():
            if not limit:
                break
            while limit and box.read and box.read[0][1].message.timestamp.timestamp() < horizon:
                taken.setdefault(to, []).append(self._count_out(box))
                limit -= 1
        return taken

    def put_back(self, to: str, entries: list[Entry]) -> None:
        """Count read messages in again that were to be removed."""
        box = self.mailboxes[to]
        for entry in entries:
            heapq.heappush(box.read, (entry.sequence, entry))
            box.count += 1
            box.bytes += entry.size
            self.bytes += entry.size
        self._drop_if_empty(to)

    def audit(self) -> bool:
        """Tell whether the table is consistent."""
        return all(box.audit() for box in self.mailboxes.values()) and self.bytes == sum(
            box.bytes for box in self.mailboxes.values()
        )

    def _add_mailbox(self, to: str) -> Mailbox:
        if len(self.mailboxes) >= self._settings.max_mailboxes:
            raise MailboxFullError(to, "mailbox.max_mailboxes", self._settings.max_mailboxes)
        box = self.mailboxes[to] = Mailbox()
        return box

    def _evict(self, to: str, box: Mailbox, size: int) -> list[Entry]:
        limits = self._settings
        evicted: list[Entry] = []
        while limit := self._exceeded(box, size):
            if not box.read:
                self.put_back(to, evicted)
                raise MailboxFullError(to, f"mailbox.{limit}", getattr(limits, limit))
            evicted.append(self._count_out(box))
        return evicted

    def _exceeded(self, box: Mailbox, size: int) -> str | None:
        limits = self._settings
        if box.count >= limits.max_messages:
            return "max_messages"
        if box.bytes + size > limits.max_bytes:
            return "max_bytes"
        return "max_total_bytes" if self.bytes + size > limits.max_total_bytes else None

    def _count_out(self, box: Mailbox) -> Entry:
        _, entry = heapq.heappop(box.read)
        box.count -= 1
        box.bytes -= entry.size
        self.bytes -= entry.size
        return entry

    def _drop_if_empty(self, to: str) -> None:
        if not self.mailboxes[to].count:
            del self.mailboxes[to]
