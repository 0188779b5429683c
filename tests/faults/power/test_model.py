"""The model of power cuts: what is left of a few changes is exactly what may be left."""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs
import pytest

from .model import Change, Fate, File, Folder, Name, Remove, Rename, Resize, Sync, Tree, Write, any_fate, leave

pytestmark = pytest.mark.faults

TOP, INBOX, FILE, OTHER = Folder(), Folder(), File(), File()
OLD, NEW = b"o" * 512, b"n" * 512


def states(*changes: Change, ordered: bool | None = None) -> list[Tree]:
    """Return every state that is found in many cuts after these changes."""
    chance = random.Random(0)
    found: list[Tree] = []
    for _ in range(2_000):
        fate = any_fate(chance)
        if ordered is not None:
            fate = attrs.evolve(fate, ordered=ordered)
        tree = leave(changes, TOP, fate, chance)
        if tree not in found:
            found.append(tree)
    return found


def same(found: Sequence[Tree], *expected: Tree) -> bool:
    """Return whether exactly these states were found."""
    return len(found) == len(expected) and all(tree in found for tree in expected)


def test_a_file_that_nobody_synced() -> None:
    """It is not there, or empty, or as long as it was and zeros, or whole."""
    found = states(Name(TOP, "a", FILE), Write(FILE, 0, NEW))
    assert same(found, {}, {"a": b""}, {"a": bytes(512)}, {"a": NEW})


def test_a_file_whose_data_was_synced() -> None:
    """It is whole or not there: its name is its folder's."""
    found = states(Name(TOP, "a", FILE), Write(FILE, 0, NEW), Sync(FILE, 2))
    assert same(found, {}, {"a": NEW})


def test_a_name_that_was_synced_before_the_data() -> None:
    """The file is there, and its data are anything."""
    found = states(Name(TOP, "a", FILE), Write(FILE, 0, NEW), Sync(TOP, 2))
    assert same(found, {"a": b""}, {"a": bytes(512)}, {"a": NEW})


@pytest.mark.parametrize("syncs", [[Sync(FILE, 2), Sync(TOP, 3)], [Sync(None, 2)]])
def test_data_and_name_that_were_synced(syncs: list[Sync]) -> None:
    """They are there: with a sync for each, or with one for everything."""
    assert same(states(Write(FILE, 0, NEW), Name(TOP, "a", FILE), *syncs), {"a": NEW})


def test_a_sync_that_began_before() -> None:
    """It promises nothing for what ended while it was under way."""
    found = states(Name(TOP, "a", FILE), Write(FILE, 0, NEW), Sync(None, 1))
    assert same(found, {"a": b""}, {"a": bytes(512)}, {"a": NEW})


def test_names_in_order() -> None:
    """A later name is not there without an earlier one, in whatever folder."""
    changes = Name(TOP, "inbox", INBOX), Name(INBOX, "a", FILE), Name(TOP, "b", OTHER)
    found = states(*changes, ordered=True)
    assert same(found, {}, {"inbox": None}, {"inbox": None, "inbox/a": b""}, {"inbox": None, "inbox/a": b"", "b": b""})


def test_names_in_any_order() -> None:
    """Each name is there or not; with a folder's goes what is in it."""
    changes = Name(TOP, "inbox", INBOX), Name(INBOX, "a", FILE), Sync(INBOX, 2), Name(TOP, "b", OTHER)
    inbox = {"inbox": None, "inbox/a": b""}
    assert same(states(*changes, ordered=False), {}, inbox, {"b": b""}, {**inbox, "b": b""})


def test_a_sync_of_one_folder_in_order() -> None:
    """What was done before elsewhere is durable with it."""
    changes = Name(TOP, "inbox", INBOX), Name(INBOX, "a", FILE), Sync(INBOX, 2), Remove(INBOX, "a")
    assert same(states(*changes, ordered=True), {"inbox": None, "inbox/a": b""}, {"inbox": None})


def test_a_rename() -> None:
    """The name is the old one or the new one, and what had the new one before goes with the old one."""
    before: list[Change] = [Write(FILE, 0, NEW), Name(TOP, "a", FILE), Write(OTHER, 0, OLD), Name(TOP, "b", OTHER)]
    found = states(*before, Sync(None, 4), Rename(TOP, "a", TOP, "b", FILE))
    assert same(found, {"a": NEW, "b": OLD}, {"b": NEW})


def test_a_lock_around_a_rename() -> None:
    """The folder may be left with the old file or with the new one, and once it is synced, it is gone."""
    lock: Sequence[Change] = [Name(TOP, "lock", INBOX), Rename(TOP, "a", TOP, "b", FILE), Remove(TOP, "lock")]
    before: list[Change] = [Write(FILE, 0, NEW), Name(TOP, "a", FILE), Write(OTHER, 0, OLD), Name(TOP, "b", OTHER)]
    old, new = {"a": NEW, "b": OLD}, {"b": NEW}
    found = states(*before, Sync(None, 4), *lock, ordered=True)
    assert same(found, old, {**old, "lock": None}, {**new, "lock": None}, new)
    found = states(*before, Sync(None, 4), *lock, Sync(TOP, 8), ordered=False)
    assert same(found, new)


def test_what_is_written_over_is_torn() -> None:
    """Each block of 512 or of 4096 bytes is old or new; what was written twice may be as it was in between."""
    before: list[Change] = [Name(TOP, "a", FILE), Write(FILE, 0, OLD * 2), Sync(None, 2)]
    found = states(*before, Write(FILE, 0, NEW * 2))
    assert same(found, {"a": OLD * 2}, {"a": NEW * 2}, {"a": OLD + NEW}, {"a": NEW + OLD})
    found = states(*before, Write(FILE, 0, NEW), Write(FILE, 0, b"3" * 512))
    assert same(found, {"a": OLD * 2}, {"a": NEW + OLD}, {"a": b"3" * 512 + OLD})


def test_a_file_that_was_cut_off() -> None:
    """It is as it was, or shorter; what was written after that is not there without it."""
    before: list[Change] = [Name(TOP, "a", FILE), Write(FILE, 0, OLD * 2), Sync(None, 2), Resize(FILE, 512)]
    assert same(states(*before), {"a": OLD * 2}, {"a": OLD})
    found = states(*before, Write(FILE, 512, NEW))
    assert same(found, {"a": OLD * 2}, {"a": OLD}, {"a": OLD + bytes(512)}, {"a": OLD + NEW})


def test_extremes() -> None:
    """With nothing that was not synced, and with all of it."""
    changes = Name(TOP, "a", FILE), Write(FILE, 0, OLD), Sync(None, 2), Write(FILE, 0, NEW), Name(TOP, "b", FILE)
    chance = random.Random(0)
    for ordered in (False, True):
        assert leave(changes, TOP, Fate(ordered=ordered, names=0, data=0), chance) == {"a": OLD}
        assert leave(changes, TOP, Fate(ordered=ordered, names=1, data=1), chance) == {"a": NEW, "b": NEW}
