"""One batch of jobs whose outcomes survive a power cut: blocking code, for a worker thread.

A batch is carried out in rounds. In each the files of all recipients are written without a name, their data is synced,
they get their names and others lose theirs, in the order of the jobs, and then the names are synced. So a name never
leads to half a file, whenever the power goes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import attrs

from observatory import Done, Failed, Job, Post, Retraction
from observatory_inbox.files.access import close, explain, is_hopeless, open_directory
from observatory_inbox.files.format import encode
from observatory_inbox.mail.disk import Disk
from observatory_inbox.mail.placing import Placer, Staged
from observatory_inbox.mail.writing import Batch, Places, name_of, no_json, open_or_make
from observatory_inbox.teams.teams import Teams

_ROUND = 64  # jobs: each holds one or two descriptors open
_WRITTEN = Done("written", "fsynced")


@attrs.frozen
class _Step:
    """A job that has not failed so far."""

    place: int
    job: Post | Retraction
    directory: int | None
    """None when there is none: then there is nothing to retract."""
    staged: Staged | None = None
    """The file of a post."""


class SyncedBatch(Batch):
    """Carries out one batch of jobs, each of which is done only when it is durable.

    Args:
        folder: the path of the inbox.
        jobs: the batch.
        placer: writes the files.
        disk: syncs them.
        teams: appends to team inboxes, before the files are written; None to leave them alone.
    """

    def __init__(
        self, folder: str, jobs: Sequence[Job], placer: Placer, disk: Disk, teams: Teams | None = None
    ) -> None:
        super().__init__(folder, jobs, placer, teams)
        self._disk = disk
        self._stopped: dict[str, Failed] = {}
        self._opened: list[tuple[Staged | None, int]] = []  # files, each with its directory, and directories

    def _serve_all(self, recipients: dict[str, Places], inbox: int) -> None:
        try:
            self._disk.begin_batch(inbox)
        except OSError as error:
            failed = Failed(self._not_synced(error), is_hopeless(error))
            for places in recipients.values():
                self._fail(places, failed)
            return
        try:
            for round in _rounds(recipients):
                self._serve_round(round, inbox)
        finally:
            self._disk.end_batch()

    def _serve_round(self, recipients: dict[str, Places], inbox: int) -> None:
        try:
            steps = {to: list(self._prepare(to, places, inbox)) for to, places in recipients.items()}
            if any(steps.values()):
                self._complete(steps)
        finally:
            self._close()

    def _not_synced(self, error: OSError) -> str:
        return f"{self._folder!r} cannot be synced: {error.strerror}"

    def _close(self) -> None:
        while self._opened:
            staged, directory = self._opened.pop()
            if staged is None:
                close(directory)
            else:
                self._placer.discard(staged, directory)

    def _prepare(self, to: str, places: Places, inbox: int) -> Iterator[_Step]:
        """Write the files of one recipient."""
        if to in self._stopped:
            self._fail(places, self._stopped[to])
            return
        try:
            directory = self._open(to, places, inbox)
        except OSError as error:
            self._stop(to, places, Failed(explain(error, os.path.join(self._folder, to)), is_hopeless(error)))
            return
        if directory is None:
            yield from (_Step(place, job, None) for place, job in places)
        else:
            self._opened.append((None, directory))
            yield from self._stage(to, places, directory)

    def _open(self, to: str, places: Places, inbox: int) -> int | None:
        try:
            return open_directory(to, inbox)
        except FileNotFoundError:
            self._disk.forget(to)
            return open_or_make(to, inbox, places)

    def _stage(self, to: str, places: Places, directory: int) -> Iterator[_Step]:
        for done, (place, job) in enumerate(places):
            staged = None
            if isinstance(job, Post):
                try:
                    staged = self._placer.stage(encode(job.message), directory)
                except TypeError as error:
                    self._outcomes[place] = no_json(job.message, error)
                    continue
                except OSError as error:
                    if self._stops(to, places[done:], error):
                        return
                    continue
                self._opened.append((staged, directory))
            yield _Step(place, job, directory, staged)

    def _complete(self, recipients: dict[str, list[_Step]]) -> None:
        """Give the files of a round their names, make all of it durable, and note the outcomes."""
        steps = [step for each in recipients.values() for step in each]
        done: list[_Step] = []
        try:
            self._disk.begin_round({to: each[0].directory for to, each in recipients.items() if each}, len(steps))
            self._disk.sync_files(step.staged.descriptor for step in steps if step.staged)
            for to, each in recipients.items():
                done += self._publish(to, each)
            self._disk.sync_names()
        except OSError as error:  # of what is done for all at once; where a job goes wrong, that is noted there
            # What has its name keeps it: others may have adopted it, and would take its removal for its reader's. The
            # next attempt puts a new file in its place, and so takes no pages for written ones that were not.
            failed = Failed(self._not_synced(error), is_hopeless(error))
            for to, each in recipients.items():
                self._stop(to, _places_of(each), failed)
            return
        for step in done:
            if step.staged:
                self._outcomes[step.place] = _WRITTEN
                self.written += 1

    def _publish(self, to: str, steps: Sequence[_Step]) -> Iterator[_Step]:
        """Let the files of one recipient appear and disappear, in order."""
        for done, step in enumerate(steps):
            try:
                self._apply(step)
            except OSError as error:
                if self._stops(to, _places_of(steps[done:]), error):
                    return
            else:
                yield step

    def _apply(self, step: _Step) -> None:
        if step.directory is None:
            return
        if isinstance(step.job, Retraction):
            self._retract(step.job, step.directory)
        elif step.staged:
            self._placer.publish(step.staged, name_of(step.job), step.directory)

    def _stops(self, to: str, places: Places, error: OSError) -> bool:
        """Note that the first of some jobs has failed, and return whether the recipient's later ones have, too."""
        failed = self._fail_from(places, to, error)
        if failed is None:
            return False
        self._stopped[to] = failed
        return True

    def _stop(self, to: str, places: Places, failed: Failed) -> None:
        self._fail(places, failed)
        if not failed.permanent:
            self._stopped[to] = failed


def _rounds(recipients: dict[str, Places]) -> Iterator[dict[str, Places]]:
    """Split a batch, recipient by recipient."""
    jobs = [(to, place) for to, places in recipients.items() for place in places]
    for start in range(0, len(jobs), _ROUND):
        round: dict[str, Places] = {}
        for to, place in jobs[start : start + _ROUND]:
            round.setdefault(to, []).append(place)
        yield round


def _places_of(steps: Iterable[_Step]) -> Places:
    return [(step.place, step.job) for step in steps]
