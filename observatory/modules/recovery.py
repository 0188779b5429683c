"""What the Mailbox does before it serves: the table as storage and delivery channels remember it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from observatory.abc import StorageBackend
from observatory.delivery.dead_letters import EXPIRED, reopened
from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.parcel import Parcel
from observatory.entries import (
    Retracting,
    Stored,
    StoredKey,
    StoredMessage,
)
from observatory.errors import InvalidInputError, MailboxFullError, StorageError
from observatory.jobs import Post
from observatory.messages import DeadLetter, DeliveryRecord, Message, MessagesExpired, MessagesRead
from observatory.modules.checks import size_of
from observatory.modules.request import Office
from observatory.modules.table import Table

_log = logging.getLogger("observatory.mailbox")


class Recovery:
    """Fills an empty table. Storage wins where it and a delivery channel disagree.

    Args:
        table: the table.
        storage: gives what was committed, and takes what only a delivery channel remembered.
        dispatcher: the lanes.
        now: the time; what is found may be of other clocks.
    """

    def __init__(self, table: Table, storage: StorageBackend, dispatcher: Dispatcher, now: datetime) -> None:
        self._now = now
        self._table = table
        self._storage = storage
        self._dispatcher = dispatcher
        self._found: defaultdict[str, set[str]] = defaultdict(set)  # what delivery channels hold, by recipient
        self._left_behind: set[tuple[str, str]] = set()
        self._records: list[DeliveryRecord] = []
        self._letters: list[DeadLetter] = []
        self._read: list[Message] = []
        self._retracting: list[tuple[str, str]] = []  # recipient and id of what has left the mailbox

    @property
    def left_behind(self) -> int:
        """How many messages had no room, or were not allowed; they stay where they were found."""
        return len(self._left_behind)

    async def from_storage(self) -> None:
        """Add what storage remembers."""
        await self._storage.replay(self._load)

    def deliveries(self) -> None:
        """Take over the delivery records and dead letters that storage has replayed."""
        dispatcher = self._dispatcher
        for record in self._records:
            dispatcher.load(record)
        for letter in self._letters:
            entry = self._table.find_unread(letter.message.to, letter.message.id)
            if entry is not None or letter.channel == EXPIRED:
                dispatcher.dead_letters.load(letter, reopened(letter, entry))
            else:  # its message was acknowledged, and a crash came before storage was told
                dispatcher.dead_letters.settle(letter)

    async def from_channels(self, agents: Collection[str] | None) -> None:
        """Add what delivery channels hold beyond that, and bring them to the state of the table.

        Args:
            agents: whose messages; None for everybody's.
        """
        await self._dispatcher.recover(agents, self._adopt)
        if self._dispatcher.recovering:
            self._dispatcher.restore(self._missing(agents))
        self._retract_what_left(agents)
        for message in self._read:
            if agents is not None and message.to not in agents:  # nobody has looked for its file
                self._table.leaving.doubt(message.to, message.id)
        self._found.clear()
        if self.left_behind:
            _log.warning("%d messages found at recovery were left where they are", self.left_behind)

    def _missing(self, agents: Collection[str] | None) -> list[Parcel]:
        """Return what is unread and no delivery channel holds."""
        return [
            Parcel(Post(entry.message, entry.sequence), {}, wanted=entry)
            for to, box in self._table.mailboxes.items()
            if agents is None or to in agents
            for id, entry in box.by_id.items()
            if entry.live and id not in self._found[to]
        ]

    def catch_up(self, earlier: Table, office: Office) -> None:
        """Tell everybody what a commit has changed that failed, and was committed all the same.

        Args:
            earlier: the table before it was filled anew.
            office: where it is told.
        """
        office.trail.begin_turn()
        before, now = earlier.unread(), self._table.unread()
        self._dispatcher.look_again(now)
        new = [entry for key, entry in now.items() if key not in before]
        gone = [key for key in before if key not in now]
        for entry in new:
            office.announce(entry)
        self._dispatcher.dead_letters.discard([id for _, id in gone], self._dispatcher.lanes)
        letters = {(each.message.to, each.message.id): each for each in self._letters if each.channel == EXPIRED}
        self._dispatcher.dead_letters.keep_only(EXPIRED, {id for _, id in letters})  # others were sent again
        for to, id in gone:
            before[to, id].live = False
            if (to, id) in letters:
                self._dispatcher.dead_letters.load(letters[to, id], reopened(letters[to, id], None))
                office.tell(MessagesExpired(to, (id,)), (id,), "expired")
            else:
                office.tell(MessagesRead(to, (id,)), (id,), "acknowledged")
        office.trail.end_turn()
        parcels = [Parcel(Post(entry.message, entry.sequence), {}, wanted=entry) for entry in new]
        for to, id in gone:
            parcels += office.retract(to, (id,))
        self._dispatcher.offer(parcels)
        self._retract_what_left(None)

    def _load(self, batch: Sequence[Stored]) -> None:
        add, now = self._table.add, self._now
        for stored in batch:
            if isinstance(stored, StoredMessage):
                message = stored.message
                size = self._admit(message)
                if size is None:
                    self._leave_in_storage(message)
                    continue
                add(message, stored.sequence, size, stored.expires_at, now)
                if message.read:
                    self._read.append(message)
            elif isinstance(stored, StoredKey):
                self._table.keys.add(stored)
            elif isinstance(stored, Retracting):
                self._has_left(stored.to, stored.id)
            elif isinstance(stored, DeliveryRecord):
                self._records.append(stored)
            else:
                self._letters.append(stored)

    def _leave_in_storage(self, message: Message) -> None:
        """Note a message without room: a read one leaves, an unread one has its turn at a later start."""
        if message.read:
            self._left_behind.discard((message.to, message.id))
            self._has_left(message.to, message.id)
        else:
            self._table.beyond.add((message.to, message.id))

    async def _adopt(self, batch: Sequence[Message]) -> None:
        new: list[tuple[Message, int]] = []
        retracted: list[tuple[str, str]] = []
        table, expired = self._table, self._dispatcher.dead_letters
        for message in batch:
            to, id = message.to, message.id
            found = self._found[to]
            if id in found:
                continue
            found.add(id)
            if (to, id) in table.beyond or table.leaving.holds(to, id):
                continue  # storage knows it already, or it is taken back when all are found
            mailbox = table.mailboxes.get(to)
            known = mailbox.by_id.get(id) if mailbox else None
            if known is not None:
                if not known.live:
                    retracted.append((to, id))
            elif expired.holds(EXPIRED, id):
                retracted.append((to, id))
            elif (size := self._admit(message)) is not None:
                new.append((message, size))
        await self._commit(new)
        self._retract(retracted)

    async def _commit(self, new: list[tuple[Message, int]]) -> None:
        try:
            numbers = await self._storage.append([message for message, _ in new]) if new else ()
        except StorageError:  # nothing has happened then, and whoever has found them may offer them again
            for message, size in new:
                self._table.undo(message.to, size, [])
                self._found[message.to].discard(message.id)
            raise
        add, now = self._table.add, self._now
        for (message, size), number in zip(new, numbers, strict=True):
            add(message, number, size, None, now)

    def _admit(self, message: Message) -> int | None:
        """Make room for a message and return its size; None when it is left behind."""
        try:
            size = size_of(message)
            evicted = self._table.make_room(message.to, size)
        except MailboxFullError:
            self._left_behind.add((message.to, message.id))
            return None
        except InvalidInputError as error:
            self._left_behind.add((message.to, message.id))
            _log.warning("recovered message %r of %r is left where it is: %s", message.id, message.to, error)
            return None
        if evicted:
            self._table.remove(message.to, evicted)
            for entry in evicted:
                self._has_left(message.to, entry.message.id)
        return size

    def _has_left(self, to: str, id: str) -> None:
        self._retracting.append((to, id))
        self._table.leaving.load(to, id)

    def _retract_what_left(self, agents: Collection[str] | None) -> None:
        """Take back what has left the mailbox, but for what somebody has written again, or is being taken back."""
        left = [key for key in self._retracting if agents is None or key[0] in agents]
        leaving = self._table.leaving
        self._retract([key for key in left if not leaving.is_under_way(*key) and not self._table.find_unread(*key)])

    def _retract(self, messages: Sequence[tuple[str, str]]) -> None:
        self._dispatcher.retract_again(messages, self._table.leaving)
