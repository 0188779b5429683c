"""What other processes put into the inbox and take from it, found by watching it."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import trio

from observatory import Adopt, Gone, Message, OutcomeUnknownError, StorageError
from observatory_inbox.adopting.known import Known
from observatory_inbox.adopting.survey import Listing, Survey
from observatory_inbox.files.format import SUFFIX, is_id, is_name
from observatory_inbox.mail.recovery import Recovery
from observatory_inbox.watching.changes import Changes
from observatory_inbox.watching.following import Watching
from observatory_inbox.watching.stamps import Stamps

_STEP_DIRECTORIES = 50
"""Directories listed at a time."""

_log = logging.getLogger("observatory.inbox")


class Adoption:
    """Compares what lies in the inbox with what this process knows to be there.

    Attributes:
        adopted: messages found so far.
        taken: files found removed so far.

    Args:
        folder: the path of the inbox.
        known: what this process knows.
        recovery: reads, and counts and names what is left.
    """

    def __init__(self, folder: str, known: Known, recovery: Recovery) -> None:
        self.adopted = 0
        self.taken = 0
        self._folder = folder
        self._known = known
        self._survey = Survey(folder, recovery)
        self._recovered: set[str] | None = set()
        self._looked = False
        self._complained = False

    def note_recovery(self, recovery: Recovery, agents: Collection[str] | None) -> None:
        """Note whose files are recovered: what others have at the first look is not adopted later, either."""
        self._survey.recovery = recovery
        if agents is None:
            self._recovered = None
        elif self._recovered is not None:
            self._recovered.update(agents)

    async def run(  # noqa: ASYNC128 -- what it calls says that it has started
        self, adopt: Adopt, gone: Gone, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Tell what others write and take, until cancelled.

        Args:
            adopt: takes messages that others have written.
            gone: takes messages that others have taken.
            task_status: told once nothing is missed any more.
        """
        self._adopt, self._gone = adopt, gone
        self._stamps = Stamps(self._folder)
        await Watching(self._folder, self).run(task_status=task_status)

    async def look(self, changes: Changes) -> None:
        """Look at what the system tells; what we did ourselves costs no look at the files."""
        with self._known.look(), self._put_off():
            self._forget(changes.vanished)
            removed = {to for to, names in changes.removed.items() if self._known.misses_any(to, _ids(names))}
            lists = {*changes.appeared, *changes.vanished, *removed}
            await self._list(lists)
            await self._read(
                {
                    to: strangers
                    for to, names in changes.written.items()
                    if to not in lists
                    and (strangers := [id for id in self._known.strangers(to, _ids(names)) if is_id(id)])
                    and is_name(to)
                }
            )

    async def sweep(self) -> None:
        """Look into every directory that has changed, and at files that were half written."""
        with self._known.look(), self._put_off():
            try:
                changed, vanished = await trio.to_thread.run_sync(self._stamps.changed)
            except FileNotFoundError:
                changed, vanished = [], self._stamps.clear()
            except OSError as error:
                self._survey.recovery.leave_closed(self._folder, error)
                return
            self._forget(vanished)
            await self._list(changed)
            self._looked = True
            await self._read(self._survey.refused())
        self._name_others()

    @contextmanager
    def _put_off(self) -> Iterator[None]:
        """Let the next sweep look at everything again when the Mailbox could not take what was found."""
        try:
            yield
        except (StorageError, OutcomeUnknownError) as error:
            self._stamps.doubt()
            if not self._complained:
                _log.warning("what others do to the inbox is not taken note of for now: %s", error)
            self._complained = True
        else:
            self._complained = False

    def _name_others(self) -> None:
        """Count and name what is no directory of a recipient."""
        recovery, others = self._survey.recovery, self._stamps.others
        recovery.forget_others(self._folder, [*others, *self._stamps.directories()])
        for name, kind in others.items():
            path = os.path.join(self._folder, name)
            recovery.leave("foreign" if kind == "file" else kind, path, "not the directory of a recipient")

    def _forget(self, vanished: Iterable[str]) -> None:
        """Forget directories: what was in them may be anywhere."""
        for to in vanished:
            self._known.forget(to)
            self._survey.forget(to)

    async def _list(self, names: Collection[str]) -> None:
        """Look into directories, some at a time: tell what is gone, and read what is new."""
        remaining = sorted(names)
        while remaining:
            step, remaining = remaining[:_STEP_DIRECTORIES], remaining[_STEP_DIRECTORIES:]
            listings = await trio.to_thread.run_sync(self._survey.list_directories, step)
            await self._read({listing.to: await self._compare(listing) for listing in listings})

    async def _compare(self, listing: Listing) -> Sequence[str]:
        """Tell what is gone from a directory, and return what is new in it."""
        to, ids = listing.to, listing.ids
        if not listing.same:
            self._known.forget(to)  # another directory, and nobody knows where the files of the first are
        if ids is None or self._known.is_unsure(to, ids):
            self._stamps.doubt([to])
        if ids is None:
            return ()
        gone = sorted(self._known.missing(to, ids))
        if gone:
            await self._gone(to, gone)
            self._known.forget(to, gone)
            self.taken += len(gone)
        strangers = self._known.strangers(to, ids)
        if self._looked or self._recovered is None or to in self._recovered:
            return strangers
        self._survey.pass_over(to, strangers)
        return ()

    async def _read(self, wanted: Mapping[str, Collection[str]]) -> None:
        if not any(wanted.values()):
            return
        with closing(self._survey.read(wanted, trio.current_time())) as batches:
            while (batch := await trio.to_thread.run_sync(next, batches, None)) is not None:
                # What was written or removed by ourselves meanwhile is no stranger any more.
                await self._take_in([message for message in batch if self._known.strangers(message.to, {message.id})])

    async def _take_in(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        self._known.add(messages)  # at once: it may be acknowledged before `adopt` returns
        adopted = False
        try:
            await self._adopt(messages)
            adopted = True
            self.adopted += len(messages)
        finally:
            for message in () if adopted else messages:
                self._known.forget(message.to, (message.id,))


def _ids(names: Iterable[str]) -> set[str]:
    """Return what would be the ids; most are known, and whether the others are ids remains to be seen."""
    return {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
