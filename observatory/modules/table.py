"""Mailboxes in memory, and the caps. Sending, acknowledging, counting and evicting cost the same at any depth."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime

from observatory.errors import MailboxFullError, UnknownMessageError
from observatory.messages import MailboxTotals, Message
from observatory.modules.box import Entry, Mailbox
from observatory.modules.expiry import Expiries
from observatory.modules.keys import Keys
from observatory.modules.leaving import Leaving
from observatory.settings import MailboxSettings

_MOST_ASIDE = 100
"""Messages from clocks that were ahead that a cleanup passes over, in each mailbox."""


class Table:
    """All mailboxes.

    Args:
        settings: the caps.
        leaving: messages that are being taken back.
    """

    def __init__(self, settings: MailboxSettings, leaving: Leaving) -> None:
        self._settings = settings
        self.mailboxes: dict[str, Mailbox] = {}
        self.bytes = 0
        """Bytes of all messages, those counted in that are not committed yet."""
        self.arriving: set[tuple[str, str]] = set()
        """Recipient and id of messages that others have delivered and that are being committed."""
        self.keys = Keys()
        """The idempotency keys of the last day."""
        self.expiries = Expiries()
        """Messages that expire."""
        self.beyond: set[tuple[str, str]] = set()
        """Recipient and id of messages that storage holds and that had no room here."""
        self.leaving = leaving
        """Messages that are being taken back."""

    def replace(self, other: Table) -> None:
        """Take over everything of another table; until then this one is read."""
        self.mailboxes, self.bytes = other.mailboxes, other.bytes
        self.keys, self.expiries, self.arriving = other.keys, other.expiries, other.arriving
        self.beyond = other.beyond

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

    def undo(self, to: str, size: int, evicted: Sequence[Entry]) -> None:
        """Count a message out again that was not committed, and keep what should have gone."""
        box = self.mailboxes[to]
        box.count -= 1
        box.bytes -= size
        self.bytes -= size
        self.put_back(to, evicted)

    def add(
        self,
        message: Message,
        sequence: int,
        size: int,
        expires_at: datetime | None = None,
        now: datetime | None = None,
    ) -> Entry:
        """Add a committed message for which room was made.

        Args:
            message: the message.
            sequence: its number.
            size: what it is counted for.
            expires_at: when it leaves the mailbox, unless somebody acknowledges it.
            now: given where its timestamp may be of another clock.
        """
        entry = Entry(message, sequence, size)
        if now is not None and message.timestamp > now:
            entry.accepted = now
        self.mailboxes[message.to].add(entry)
        if expires_at is not None and entry.live:
            self.expiries.add(expires_at, message.to, message.id, self.find_unread)
        return entry

    def expired(self, now: datetime, limit: int) -> list[Entry]:
        """Return up to `limit` unread messages whose time is over."""
        return self.expiries.due(now, limit, self.find_unread)

    def find_unread(self, agent: str, message_id: str) -> Entry | None:
        """Find a message that is unread; None when the mailbox does not hold it as such."""
        box = self.mailboxes.get(agent)
        entry = box.by_id.get(message_id) if box else None
        return entry if entry is not None and entry.live else None

    def expire(self, entry: Entry) -> None:
        """Remove an unread message whose time is over."""
        to = entry.message.to
        self.mailboxes[to].expire(entry)
        self.bytes -= entry.size
        self._drop_if_empty(to)

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

    def holds(self, agent: str, message_id: str) -> bool:
        """Tell whether a mailbox holds a message, or is about to."""
        box = self.mailboxes.get(agent)
        return (agent, message_id) in self.arriving or (box is not None and message_id in box.by_id)

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

    def newest(self, agent: str) -> int:
        """Return the number of an agent's newest message; 0 when there is none."""
        box = self.mailboxes.get(agent)
        return box.newest.sequence if box and box.newest else 0

    def arrived_since(self, agent: str, number: int) -> Message | None:
        """Return an agent's oldest unread message with a higher number, looking back from the newest."""
        box = self.mailboxes.get(agent)
        entry = box.newest_unread if box else None
        found = None
        while entry is not None and entry.sequence > number:
            found, entry = entry, entry.older_unread
        return found.message if found else None

    def unread(self) -> dict[tuple[str, str], Entry]:
        """Return every unread message by recipient and id, per recipient in order."""
        return {(to, id): entry for to, box in self.mailboxes.items() for id, entry in box.by_id.items() if entry.live}

    def remove(self, to: str, entries: Sequence[Entry]) -> None:
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
        entries = list(box.by_id.values())
        for entry in entries:
            entry.unlink()
        return entries

    def take_old(self, horizon: float, limit: int) -> dict[str, list[Entry]]:
        """Count out up to `limit` read messages from before `horizon` (POSIX seconds), by recipient."""
        taken: dict[str, list[Entry]] = {}
        for to, box in self.mailboxes.items():
            if not limit:
                break
            aside: list[tuple[int, Entry]] = []
            while limit and box.read:
                entry = box.read[0][1]
                if entry.since.timestamp() < horizon:
                    taken.setdefault(to, []).append(self._count_out(box))
                    limit -= 1
                elif entry.accepted is not None and len(aside) < _MOST_ASIDE:
                    aside.append(heapq.heappop(box.read))  # it is older than it says, and holds up nobody
                else:
                    break
            for each in aside:
                heapq.heappush(box.read, each)
        return taken

    def put_back(self, to: str, entries: Sequence[Entry]) -> None:
        """Count read messages in again that were to be removed."""
        box = self.mailboxes[to]
        for entry in entries:
            heapq.heappush(box.read, (entry.sequence, entry))
            box.count += 1
            box.bytes += entry.size
            self.bytes += entry.size
        self._drop_if_empty(to)

    def totals(self, left_behind: int, accepted: int) -> MailboxTotals:
        """Return the figures of all mailboxes together, with what recovery has left behind and what has come since."""
        boxes = [box for box in self.mailboxes.values() if box.by_id]
        return MailboxTotals(
            mailboxes=len(boxes),
            messages=sum(len(box.by_id) for box in boxes),
            unread=sum(box.unread for box in boxes),
            bytes=self.bytes,
            left_behind=left_behind,
            accepted=accepted,
        )

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
