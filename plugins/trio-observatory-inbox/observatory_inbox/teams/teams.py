"""Claude Code's team inboxes, as far as one delivery channel is concerned. Blocking code, for a worker thread."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from observatory import Failed, Message, Outcome, Post, Retraction
from observatory_inbox.settings import InboxSettings
from observatory_inbox.teams.format import encode_entry, looks_like_protocol
from observatory_inbox.teams.inbox import BrokenError, Caps, TeamInbox
from observatory_inbox.teams.patience import Patience
from observatory_inbox.teams.team import Address, NotDeliveredError, Seat, address_of, folder_of, open_seat

Failures: TypeAlias = dict[str, Failed]
"""What went wrong, by the message's id."""

_PROTOCOL = Failed("the content looks like a message of Claude Code's own protocol; only Claude Code sends those", True)
_INSIST = 2  # attempts that failed, before the lock is held for longer
_LOOKS = 3  # at an inbox that cannot be read, before it is copied aside


class Teams:
    """Appends messages to the inboxes `{root}/teams/{team}/inboxes/{agent}.json`.

    A message for `agent@team` is delivered when it is there and in a file of its own. It is appended first: so the file
    says that the team inbox has it, and where the append fails there is neither. When the file fails after the append,
    the delivery has failed, and both are tried again: the append then finds the message's `msg_id` and adds nothing.
    So it is after a crash in between.

    Args:
        root: the root directory.
        settings: the caps.
        temporary_names: names for temporary files, each given once.
        sync: whether what is appended must survive a power cut.
    """

    def __init__(
        self, root: str | os.PathLike[str], settings: InboxSettings, temporary_names: Iterator[str], *, sync: bool
    ) -> None:
        self._folder = os.path.join(root, "teams")
        self._caps = Caps(settings.team_max_entries, settings.team_max_bytes)
        self._temporary_names = temporary_names
        self._sync = sync
        self._patience = Patience()
        self._looks: Counter[str] = Counter()
        self._misses: Counter[str] = Counter()

    def begin_batch(self) -> None:
        """Give all recipients of the next batch together 50 ms to wait for locks that others hold."""
        self._patience = Patience()

    def serve(
        self, to: str, places: list[tuple[int, Post | Retraction]], outcomes: list[Outcome]
    ) -> list[tuple[int, Post | Retraction]]:
        """Append one recipient's posts to its team inbox, all in one rewrite; one that names no team has none.

        Args:
            to: the recipient.
            places: its jobs, each with its place in the batch. A retraction takes nothing back here.
            outcomes: where failures are noted; after one that is not permanent, later jobs fail with it.

        Returns:
            The jobs that have not failed.
        """
        address = address_of(to)
        messages = [job.message for _, job in places if isinstance(job, Post)]
        failures = self._append(address, messages) if address and messages else None
        if not failures:
            return places
        stop: Failed | None = None
        left: list[tuple[int, Post | Retraction]] = []
        for place, job in places:
            failed = failures.get(job.message.id, stop) if isinstance(job, Post) else stop
            if failed is None:
                left.append((place, job))
            else:
                outcomes[place] = failed
                stop = stop if failed.permanent else failed
        return left

    def _append(self, address: Address, messages: Sequence[Message]) -> Failures:
        failures = {message.id: _PROTOCOL for message in messages if looks_like_protocol(message.content)}
        rest = [message for message in messages if message.id not in failures]
        if not rest:
            return failures
        try:
            with open_seat(self._folder, address) as seat:
                return failures | self._append_to(seat, rest)
        except NotDeliveredError as error:
            failed = error.outcome
        except OSError as error:
            failed = self._explain(error, address)
        return dict.fromkeys((message.id for message in rest), failed) | failures

    def _append_to(self, seat: Seat, messages: Sequence[Message]) -> Failures:
        failures: Failures = {}
        entries: dict[str, bytes] = {}
        for message in messages:
            try:
                entries[message.id] = encode_entry(message, seat.color_of(message.from_))
            except TypeError as error:
                failures[message.id] = Failed(f"message {message.id} cannot be written as JSON: {error}", True)
        if not entries:
            return failures
        inbox = TeamInbox(seat, self._caps, self._temporary_names, self._patience, self._sync)
        try:
            refused = inbox.append(entries, insist=self._misses[inbox.path] >= _INSIST)
        except BrokenError as error:
            return failures | dict.fromkeys(entries, self._look(inbox, error))
        except NotDeliveredError:
            self._misses[inbox.path] += 1
            raise
        except FileNotFoundError:
            raise  # the folder is gone, and perhaps the team
        except OSError as error:
            of_lock = str(error.filename).endswith(".lock")  # such as a file in its place, or in it
            raise NotDeliveredError.because(error, f"{inbox.path}.lock" if of_lock else inbox.path) from error
        del self._looks[inbox.path], self._misses[inbox.path]
        return failures | {id: Failed(reason, permanent=True) for id, reason in refused.items()}

    def _look(self, inbox: TeamInbox, error: BrokenError) -> Failed:
        """Count a look at an inbox that cannot be read; after some, copy it aside and give its messages up."""
        self._looks[inbox.path] += 1
        reason = f"{inbox.path!r} cannot be read: {error}"
        if self._looks[inbox.path] < _LOOKS:
            return Failed(reason)
        return Failed(f"{reason}; it was copied to {inbox.set_aside(error.found)!r}", permanent=True)

    def _explain(self, error: OSError, address: Address) -> Failed:
        path = folder_of(self._folder, address)
        if isinstance(error, FileNotFoundError) and not os.path.isdir(path):
            return Failed(f"team {address.team!r} has ended: {path!r} is gone", permanent=True)
        return NotDeliveredError.because(error, path).outcome
