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
from observatory_inbox.files.access import close, explain, is_hopeless, make_directory, open_directory
from observatory_inbox.files.format import SUFFIX, encode, is_id, is_name
from observatory_inbox.mail.placing import Placer
from observatory_inbox.teams.teams import Teams

Places: TypeAlias = list[tuple[int, Post | Retraction]]
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
        teams: appends to team inboxes, before the files are written; None to leave them alone.
    """

    def __init__(self, folder: str, jobs: Sequence[Job], placer: Placer, teams: Teams | None = None) -> None:
        self.written = 0
        self.removed = 0
        self._folder = folder
        self._jobs = jobs
        self._placer = placer
        self._teams = teams
        self._outcomes: list[Outcome] = [_NOTHING_LEFT] * len(jobs)

    def carry_out(self) -> list[Outcome]:
        """Carry out every job and return the outcomes in order."""
        recipients = self._by_recipient()
        if self._teams is not None:
            recipients = self._serve_teams(self._teams, recipients)
        if recipients:
            self._placer.begin_batch()
            self._carry_out(recipients)
        return self._outcomes

    def _by_recipient(self) -> dict[str, Places]:
        """Group the jobs by recipient; those with a name that is not allowed fail here."""
        recipients: dict[str, Places] = {}
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

    def _serve_teams(self, teams: Teams, recipients: dict[str, Places]) -> dict[str, Places]:
        """Append to the team inboxes and return the jobs whose turn are the files."""
        members = [to for to in recipients if "@" in to]
        if not members:
            return recipients
        teams.begin_batch()
        left = recipients | {to: teams.serve(to, recipients[to], self._outcomes) for to in members}
        return {to: places for to, places in left.items() if places}

    def _carry_out(self, recipients: dict[str, Places]) -> None:
        try:
            inbox = open_or_make(self._folder, None, enumerate(self._jobs))
        except OSError as error:
            failed = Failed(explain(error, self._folder), is_hopeless(error))
            for places in recipients.values():
                self._fail(places, failed)
            return
        if inbox is None:
            return
        try:
            self._serve_all(recipients, inbox)
        finally:
            close(inbox)

    def _serve_all(self, recipients: dict[str, Places], inbox: int) -> None:
        for to, places in recipients.items():
            try:
                directory = open_or_make(to, inbox, places)
            except OSError as error:
                self._fail(places, Failed(explain(error, os.path.join(self._folder, to)), is_hopeless(error)))
                continue
            if directory is None:
                continue
            try:
                self._serve_in_order(to, places, directory)
            finally:
                close(directory)

    def _serve_in_order(self, to: str, places: Places, directory: int) -> None:
        """Carry out jobs; the first post that fails and may be tried again fails the later jobs, too."""
        for place, job in places:
            try:
                if isinstance(job, Post):
                    self._outcomes[place] = self._write(job.message, directory)
                else:
                    self._retract(job, directory)
            except OSError as error:
                if self._fail_from(places[places.index((place, job)) :], to, error):
                    return

    def _fail_from(self, places: Places, to: str, error: OSError) -> Failed | None:
        """Fail the first of some jobs; return its failure when those behind it have failed with it."""
        job = places[0][1]
        path = os.path.join(self._folder, to, name_of(job))
        failed = Failed(f"{path!r}: {error.strerror}", is_hopeless(error))
        alone = failed.permanent or isinstance(job, Retraction)  # nothing waits for a retraction
        self._fail(places[:1] if alone else places, failed)
        return None if alone else failed

    def _fail(self, places: Places, failed: Failed) -> None:
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
            return no_json(message, error)
        self._placer.place(data, message.id + SUFFIX, directory)
        self.written += 1
        return _WRITTEN


def name_of(job: Post | Retraction) -> str:
    """Return the name of a job's file."""
    return (job.message.id if isinstance(job, Post) else job.id) + SUFFIX


def no_json(message: Message, error: TypeError) -> Failed:
    """Return the outcome for a message that JSON cannot hold."""
    return Failed(f"message {message.id} cannot be written as JSON: {error}", permanent=True)


def open_or_make(name: str, parent: int | None, places: Iterable[tuple[int, Job]]) -> int | None:
    """Open a directory; where it is missing, make it for a post, and return None when there is only to retract.

    Raises:
        OSError: when it cannot be made or opened.
    """
    try:
        return open_directory(name, parent)
    except FileNotFoundError:
        return make_directory(name, parent) if any(isinstance(job, Post) for _, job in places) else None


def _bad_name(to: str) -> str:
    return f"{to!r} cannot name a directory: 1 to 128 of A-Z a-z 0-9 . _ @ + -, not starting with a dot"
