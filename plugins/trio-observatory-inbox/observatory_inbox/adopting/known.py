"""Which files of the inbox this process knows to be there. Only the task of Trio's that owns the loop calls it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from typing import TypeAlias

from observatory import Done, Job, Message, Outcome, Post, Retraction

_File: TypeAlias = tuple[str, str]
"""Recipient and id."""

_NONE: frozenset[str] = frozenset()

_MAX_UNSETTLED = 20_000
"""Files in doubt that are remembered, more than a lane keeps trying for; then the oldest is forgotten."""


class Known:
    """The files that this process has written or adopted, and that nobody has taken since."""

    def __init__(self) -> None:
        self._ids: defaultdict[str, set[str]] = defaultdict(set)
        self._unsettled: dict[_File, None] = {}  # a write or a removal has failed, and is tried again
        self._in_hand: Sequence[Job] = ()  # the batch under way
        self._touched: defaultdict[str, set[str]] | None = None  # since the look began, when there is one

    def begin(self, jobs: Sequence[Job]) -> None:
        """Leave the files of a batch alone, since it is under way."""
        self._in_hand = jobs
        if self._touched is not None:
            _note_files(jobs, self._touched)

    def end(self) -> None:
        """Note that it is over, whatever has become of it."""
        self._in_hand = ()

    def settle(self, jobs: Iterable[Job], outcomes: Iterable[Outcome]) -> None:
        """Note what has become of it."""
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(job, Post) and isinstance(outcome, Done):
                message = job.message
                self._ids[message.to].add(message.id)
                if self._unsettled:
                    self._unsettled.pop((message.to, message.id), None)
            elif (file := _file_of(job)) is not None:
                self._forget_one(*file)
                self._unsettled.pop(file, None)
                if not isinstance(outcome, Done):
                    self._unsettled[file] = None
        while len(self._unsettled) > _MAX_UNSETTLED:
            del self._unsettled[next(iter(self._unsettled))]

    def add(self, messages: Iterable[Message]) -> None:
        """Note files that were adopted."""
        for message in messages:
            self._ids[message.to].add(message.id)

    @contextmanager
    def look(self) -> Iterator[None]:
        """Tell apart, until the end, what was known before and what was touched since."""
        touched = self._touched = defaultdict(set)
        _note_files(self._in_hand, touched)
        try:
            yield
        finally:
            self._touched = None

    def strangers(self, to: str, ids: Set[str]) -> list[str]:
        """Return those that are neither known nor ours to write or to remove."""
        return [id for id in ids - self._ids.get(to, _NONE) if not self._ours((to, id))]

    def missing(self, to: str, listed: Set[str]) -> list[str]:
        """Return what was known before the look, was not touched since, and was not listed."""
        return [id for id in self._ids.get(to, _NONE) - listed if not self._ours((to, id))]

    def is_unsure(self, to: str, listed: Set[str]) -> bool:
        """Return whether a file that we have written or removed ourselves meanwhile was not listed: or did others?"""
        return self._touched is not None and not self._touched.get(to, _NONE) <= listed

    def misses_any(self, to: str, removed: Set[str]) -> bool:
        """Return whether at least one of them is known and not ours to remove."""
        return any(not self._ours((to, id)) for id in removed & self._ids.get(to, _NONE))

    def forget(self, to: str, ids: Iterable[str] | None = None) -> None:
        """Forget files of a recipient, or all of them."""
        for id in tuple(self._ids.get(to, ()) if ids is None else ids):
            self._forget_one(to, id)

    def _ours(self, file: _File) -> bool:
        return file in self._unsettled or (self._touched is not None and file[1] in self._touched.get(file[0], _NONE))

    def _forget_one(self, to: str, id: str) -> None:
        ids = self._ids.get(to, set())
        ids.discard(id)
        if not ids:
            self._ids.pop(to, None)


def _file_of(job: Job) -> _File | None:
    if isinstance(job, Post):
        return job.message.to, job.message.id
    return (job.to, job.id) if isinstance(job, Retraction) else None


def _note_files(jobs: Iterable[Job], by_recipient: defaultdict[str, set[str]]) -> None:
    for job in jobs:
        if (file := _file_of(job)) is not None:
            by_recipient[file[0]].add(file[1])
