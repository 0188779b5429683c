"""Which files a power cut may leave behind, after a given sequence of changes to a file system.

What was synced is there. Of the rest, each block of a file's data holds what it held at some moment since the file was
last synced, and the file has a size that it had, so there are old data, new data, parts of both, and zeros. That a file
was cut off has happened for all of it or not at all, and what was written later is not there without it: all that
happens in the journal, and blocks that were freed are not given away before. Names come and go in one of two ways:

- in order, as on file systems with an ordered journal (ext4, xfs): of all changes of names up to the cut, some first
  ones are there, at least up to the last that was synced;
- in any order: each change that was not synced is there or not, whatever became of the others. That is less than
  any usual file system keeps.

A folder's sync makes the names in it durable, a file's its data and size, though not its name; syncing everything does
both for all. A sync covers what had ended when it began, once it has ended itself. A rename is one change.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import attrs

Tree: TypeAlias = Mapping[str, bytes | None]
"""Contents of files by path; None for a folder, which stands before what is in it."""


@attrs.frozen(eq=False)
class File:
    """A file, whatever its name."""


@attrs.frozen(eq=False)
class Folder:
    """A folder, whatever its name."""


@attrs.frozen
class Write:
    """Data was written."""

    file: File
    """Where to."""
    offset: int
    """Where in it."""
    data: bytes
    """What."""


@attrs.frozen
class Resize:
    """A file was made shorter, or longer with zeros."""

    file: File
    """Which."""
    size: int
    """Its size from then on."""


@attrs.frozen
class Name:
    """Something was given a name: it was made, or linked."""

    folder: Folder
    """Where."""
    name: str
    """The name; what had it before has it no more."""
    node: File | Folder
    """What."""


@attrs.frozen
class Remove:
    """A name was removed."""

    folder: Folder
    """Where."""
    name: str
    """Which."""


@attrs.frozen
class Rename:
    """A name was exchanged for another."""

    old_folder: Folder
    """Where it was."""
    old_name: str
    """Which it was."""
    folder: Folder
    """Where it is."""
    name: str
    """Which it is; what had it before has it no more."""
    node: File | Folder
    """What it is the name of."""


@attrs.frozen
class Sync:
    """Something was made durable."""

    node: File | Folder | None
    """What; None for everything."""
    covers: int
    """How many changes had ended when it began."""


Change: TypeAlias = Write | Resize | Name | Remove | Rename | Sync
"""What one system call has done, by when it ended."""


@attrs.frozen(kw_only=True)
class Fate:
    """What a power cut does to what was not synced."""

    ordered: bool = True
    """Whether names come and go in order."""
    block: Literal[512, 4096] = 4096
    """Bytes that are written as a whole."""
    names: float = 0.5
    """The chance that a change of names has reached the disk; in order, the share of them that has at the most."""
    data: float | None = None
    """The chance that a block is as it was last, and not as it was first; None for any moment between."""


def any_fate(chance: random.Random) -> Fate:
    """Return a fate, the extreme ones among them."""
    return Fate(
        ordered=chance.random() < 0.5,
        block=chance.choice((512, 4096)),
        names=chance.choice((0.0, 0.2, 0.5, 0.8, 1.0)),
        data=chance.choice((0.0, 0.5, 1.0, None)),
    )


def leave(changes: Sequence[Change], top: Folder, fate: Fate, chance: random.Random) -> Tree:
    """Return what is found after a power cut.

    Args:
        changes: all up to the cut.
        top: the folder that is looked into; its own name is durable.
        fate: what becomes of what was not synced.
        chance: decides what the fate leaves open.
    """
    covered = _covered(changes)
    names: defaultdict[Folder, dict[str, File | Folder]] = defaultdict(dict)
    for change in _lasting_names(changes, covered, fate, chance):
        if isinstance(change, Rename) and names[change.old_folder].get(change.old_name) is change.node:
            del names[change.old_folder][change.old_name]
        if isinstance(change, Remove):
            names[change.folder].pop(change.name, None)
        else:
            names[change.folder][change.name] = change.node
    return dict(_walk("", top, names, _Data(changes, covered, fate, chance)))


def _walk(
    path: str, folder: Folder, names: Mapping[Folder, Mapping[str, File | Folder]], data: _Data
) -> Iterator[tuple[str, bytes | None]]:
    for name, node in names[folder].items():
        if isinstance(node, File):
            yield path + name, data.of(node)
        else:
            yield path + name, None
            yield from _walk(f"{path}{name}/", node, names, data)


def _covered(changes: Sequence[Change]) -> defaultdict[File | Folder | None, int]:
    """Return how many first changes each sync has made durable, as far as they concern what was synced."""
    covered: defaultdict[File | Folder | None, int] = defaultdict(int)
    for change in changes:
        if isinstance(change, Sync):
            covered[change.node] = max(covered[change.node], change.covers)
    return covered


def _lasting_names(
    changes: Sequence[Change], covered: Mapping[File | Folder | None, int], fate: Fate, chance: random.Random
) -> list[Name | Remove | Rename]:
    """Return those changes of names that are found."""
    places = [place for place, change in enumerate(changes) if isinstance(change, Name | Remove | Rename)]

    def is_durable(place: int) -> bool:
        change = changes[place]
        assert isinstance(change, Name | Remove | Rename)
        return place < max(covered[None], covered[change.folder])

    if fate.ordered:
        least = max((number for number, place in enumerate(places, start=1) if is_durable(place)), default=0)
        most = least + round((len(places) - least) * fate.names)
        kept = places[: chance.randint(least, most)] if 0 < fate.names < 1 else places[:most]
    else:
        kept = [place for place in places if is_durable(place) or chance.random() < fate.names]
    return [change for place in kept if isinstance(change := changes[place], Name | Remove | Rename)]


class _Data:
    """The contents of files after a power cut."""

    def __init__(
        self,
        changes: Sequence[Change],
        covered: Mapping[File | Folder | None, int],
        fate: Fate,
        chance: random.Random,
    ) -> None:
        self._fate = fate
        self._chance = chance
        self._contents: dict[File, bytes] = {}
        self._synced: defaultdict[File, list[Write | Resize]] = defaultdict(list)
        self._pending: defaultdict[File, list[Write | Resize]] = defaultdict(list)
        for place, change in enumerate(changes):
            if isinstance(change, Write | Resize):
                durable = place < max(covered[None], covered[change.file])
                (self._synced if durable else self._pending)[change.file].append(change)

    def of(self, file: File) -> bytes:
        """Return a file's content."""
        if file not in self._contents:
            self._contents[file] = self._choose(file)
        return self._contents[file]

    def _choose(self, file: File) -> bytes:
        content = bytearray()
        for change in self._synced[file]:
            _apply(change, content)
        changes, settled = self._until_a_resize(self._pending[file])
        sizes = [len(content)]
        for change in changes:
            end = change.size if isinstance(change, Resize) else max(sizes[-1], change.offset + len(change.data))
            sizes.append(end)
        self._settle(changes, content)
        size = sizes[settled + self._moment(len(changes) - settled)]
        return bytes(content[:size].ljust(size, b"\0"))

    def _until_a_resize(self, changes: Sequence[Write | Resize]) -> tuple[Sequence[Write | Resize], int]:
        """Choose how many resizes have happened; return the changes up to the next, and how many up to the last."""
        resizes = [place for place, change in enumerate(changes) if isinstance(change, Resize)]
        happened = self._moment(len(resizes))
        settled = resizes[happened - 1] + 1 if happened else 0
        return changes[: resizes[happened]] if happened < len(resizes) else changes, settled

    def _settle(self, changes: Sequence[Write | Resize], content: bytearray) -> None:
        """Let each block become what it was at some moment."""
        touched = Counter(block for change in changes for block in self._blocks(change))
        left = {block: self._moment(count) for block, count in touched.items()}  # writes that have reached it
        for change in changes:
            if isinstance(change, Resize):
                _apply(change, content)
                continue
            for block in self._blocks(change):
                if left[block] > 0:
                    _apply(self._part(change, block), content)
                left[block] -= 1

    def _blocks(self, change: Write | Resize) -> range:
        if isinstance(change, Resize):
            return range(0)
        return range(change.offset // self._fate.block, -(-(change.offset + len(change.data)) // self._fate.block))

    def _part(self, write: Write, block: int) -> Write:
        start = max(write.offset, block * self._fate.block)
        end = (block + 1) * self._fate.block
        return Write(write.file, start, write.data[start - write.offset : end - write.offset])

    def _moment(self, last: int) -> int:
        """Choose one of the moments from 0, the last sync, to the last change."""
        if self._fate.data is None:
            return self._chance.randint(0, last)
        return last if self._chance.random() < self._fate.data else 0


def _apply(change: Write | Resize, content: bytearray) -> None:
    end = change.size if isinstance(change, Resize) else change.offset + len(change.data)
    content.extend(bytes(max(0, end - len(content))))
    if isinstance(change, Resize):
        del content[end:]
    else:
        content[change.offset : end] = change.data
