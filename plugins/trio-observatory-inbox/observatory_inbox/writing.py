"""One batch of jobs against the files of the inbox: blocking code, for a worker thread.

This is the hot path: per message one open, write, link and close, and per recipient and batch one descriptor,
so that no directory can be exchanged for a symbolic link between the check and the write. Descriptors are not kept
from batch to batch: they would go on to write into a directory that has been moved away.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from observatory import Done, Failed, Job, Message, Outcome, Post, Retraction
from observatory_inbox.files import explain, make_directory, open_directory
from observatory_inbox.format import SUFFIX, encode, is_id, is_name
from observatory_inbox.placing import Placer

_Places: TypeAlias = list[tuple[int, Post | Retraction]]
"""Jobs of one recipient, each with its place in the batch."""

_WRITTEN = Done("written", "flushed")
_NOTHING_LEFT = Done("written")  # of a retraction, and of a `Dropped`, which asks for nothing here


class Batch:
    """Carries out one batch of jobs, recipient by recipient.

    Attributes:
        written: files written so far.
        removed: files removed so far.

    Args:
        folder: the path of the inbox.
        jobs: the batch.
        placer: writes the files.
    """

    def __init__(self, folder: str, jobs: Sequence[Job], placer: Placer) -> None:
        self.written = 0
        self.removed = 0
        self._folder = folder
        self._jobs = jobs
        self._placer = placer
        self._outcomes: list[Outcome] = [_NOTHING_LEFT] * len(jobs)

    def carry_out(self) -> list[Outcome]:
        """Carry out every job and return the outcomes in order."""
        recipients = self._by_recipient()
        if recipients:
            self._placer.begin_batch()
            self._carry_out(recipients)
        return self._outcomes

    def _by_recipient(self) -> dict[str, _Places]:
        """Group the jobs by recipient; those with a name that is not allowed fail here."""
        recipients: dict[str, _Places] = {}
        for place, job in enumerate(self._jobs):
            if isinstance(job, Post):
                to, id = job.message.to, job.message.id
            elif isinstance(job, Retraction):
                to, id = job.to, job.id
            else:
                continue
            if is_id(id) is None:
                self._outcomes[place] = Failed(f"{id!r} is no message id: 16 digits of 0-9 a-f", permanent=True)
            elif to in recipients:
                recipients[to].append((place, job))
            elif is_name(to) is None:
                self._outcomes[place] = Failed(_bad_name(to), permanent=True)
            else:
                recipients[to] = [(place, job)]
        return recipients

    def _carry_out(self, recipients: dict[str, _Places]) -> None:
        try:
            inbox = _open(self._folder, None, enumerate(self._jobs))
        except OSError as error:
            for places in recipients.values():
                self._fail(places, explain(error, self._folder))
            return
        if inbox is None:
            return
        try:
            for to, places in recipients.items():
                self._serve(to, places, inbox)
        finally:
            os.close(inbox)

    def _serve(self, to: str, places: _Places, inbox: int) -> None:
        """Carry out the jobs of one recipient."""
        try:
            directory = _open(to, inbox, places)
        except OSError as error:
            self._fail(places, explain(error, os.path.join(self._folder, to)))
            return
        if directory is None:
            return
        try:
            self._serve_in_order(to, places, directory)
        finally:
            os.close(directory)

    def _serve_in_order(self, to: str, places: _Places, directory: int) -> None:
        """Carry out jobs; the first failure that is not permanent fails the later ones, too."""
        for done, (place, job) in enumerate(places):
            try:
                if isinstance(job, Post):
                    self._outcomes[place] = self._write(job.message, directory)
                else:
                    self._retract(job, directory)
            except OSError as error:
                id = job.message.id if isinstance(job, Post) else job.id
                path = os.path.join(self._folder, to, id + SUFFIX)
                self._fail(places[done:], f"{path!r}: {error.strerror}")
                return

    def _fail(self, places: _Places, error: str) -> None:
        failed = Failed(error)
        for place, _ in places:
            self._outcomes[place] = failed

    def _retract(self, job: Retraction, directory: int) -> None:
        try:
            os.unlink(job.id + SUFFIX, dir_fd=directory)
        except FileNotFoundError:
            return
        self.removed += 1

    def _write(self, message: Message, directory: int) -> Outcome:
        try:
            data = encode(message)
        except TypeError as error:
            return Failed(f"message {message.id} cannot be written as JSON: {error}", permanent=True)
        self._placer.place(data, message.id + SUFFIX, directory)
        self.written += 1
        return _WRITTEN


def _open(name: str, parent: int | None, places: Iterable[tuple[int, Job]]) -> int | None:
    """Open a directory; where it is missing, make it for a post, and return None when there is only to retract."""
    try:
        return open_directory(name, parent)
    except FileNotFoundError:
        return make_directory(name, parent) if any(isinstance(job, Post) for _, job in places) else None


def _bad_name(to: str) -> str:
    return f"{to!r} cannot name a directory: 1 to 128 of A-Z a-z 0-9 . _ @ + -, not starting with a dot"
