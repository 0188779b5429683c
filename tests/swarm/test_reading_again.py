"""What is read again, or looked at later, is what one would read anew."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hypothesis import given, strategies as st

from observatory.swarm.pipeline import advanced, at, read

IDS = ["a", "b", "c", "d"]
TASKS = st.fixed_dictionaries(
    {"id": st.sampled_from(IDS), "status": st.sampled_from(["pending", "in_progress", "completed", "deleted", "odd"])},
    optional={
        "blocked_by": st.lists(st.sampled_from([*IDS, "nowhere"]), max_size=2),
        "files": st.lists(st.sampled_from("xy"), max_size=2),
        "updated": st.integers(1_795_260_000, 1_795_264_000),
        "subject": st.sampled_from(["one", "another", 1]),
    },
)
LINES = TASKS.map(lambda task: json.dumps(task).encode()) | st.sampled_from([b"", b"\r", b"{", b"[]", b'{"id": "a"'])
FILES = st.tuples(st.sampled_from([b"", b"\xef\xbb\xbf"]), st.lists(LINES, max_size=8)).map(
    lambda parts: parts[0] + b"\n".join(parts[1])
)
LATER = timedelta(minutes=10)


@given(before=FILES, after=FILES)
def test_other_file(now: datetime, before: bytes, after: bytes) -> None:
    """Whatever was in a file before, reading it again finds what is in it now."""
    earlier = read(before, "tasks.jsonl", now)
    later = read(after, "tasks.jsonl", now + LATER, earlier=earlier)
    assert later.pipeline == read(after, "tasks.jsonl", now + LATER).pipeline


@given(
    lines=st.lists(LINES, max_size=8),
    edits=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.lists(LINES, max_size=2)), max_size=5),
)
def test_one_edit_after_the_other(
    now: datetime, lines: list[bytes], edits: Sequence[tuple[int, int, list[bytes]]]
) -> None:
    """However often lines are added, removed and changed, reading the file again finds what is in it now."""
    reading = read(b"\n".join(lines), "tasks.jsonl", now)
    for begin, end, new in edits:
        lines[begin:end] = new
        reading = read(b"\n".join(lines), "tasks.jsonl", now, earlier=reading)
    assert reading.pipeline == read(b"\n".join(lines), "tasks.jsonl", now).pipeline


@given(data=FILES)
def test_same_file(now: datetime, data: bytes) -> None:
    """Where nothing has changed, what was found is the very same as before."""
    earlier = read(data, "tasks.jsonl", now)
    again = read(data, "tasks.jsonl", now, earlier=earlier)
    assert again.pipeline is earlier.pipeline
    assert again.parsed == earlier.parsed


@given(data=FILES, seconds=st.integers(0, 3_600))
def test_later(now: datetime, data: bytes, seconds: int) -> None:
    """When only time has gone by, what was read is what one would read anew."""
    later = now + timedelta(seconds=seconds)
    reading = at(read(data, "tasks.jsonl", now), later, stale_after=LATER)
    assert reading.pipeline == read(data, "tasks.jsonl", later, stale_after=LATER).pipeline


def test_later_it_is_stale(now: datetime) -> None:
    """A task that nobody updates while time goes by is stale once it has gone by."""
    line = json.dumps({"id": "a", "status": "in_progress", "updated": now.isoformat()}).encode()
    assert at(read(line, "tasks.jsonl", now), now + 2 * LATER).pipeline.stale == ("a",)


def test_later_without_a_difference(now: datetime) -> None:
    """When time changes nothing, what was read is the very same as before."""
    reading = read(b'{"id": "a", "status": "pending"}', "tasks.jsonl", now)
    assert at(reading, now + LATER) is reading


@given(before=FILES, after=FILES, other=FILES)
def test_several_projects(now: datetime, before: bytes, after: bytes, other: bytes) -> None:
    """Of several projects those are read that have changed, or are new; for the others time goes by."""
    readings = {project: read(before, project, now) for project in ("changed", "kept")}
    later = now + LATER
    found = advanced(readings, {"changed": after, "new": other}, later, LATER)
    files = {"changed": after, "kept": before, "new": other}
    pipelines = {project: reading.pipeline for project, reading in found.items()}
    assert pipelines == {
        project: read(data, project, later, stale_after=LATER).pipeline for project, data in files.items()
    }


def test_no_search_for_garbage(now: datetime) -> None:
    """While very many tasks are read, Python does not look through them again and again: at most once, at the end."""
    searches: list[str] = []

    def note(phase: str, info: Mapping[str, int]) -> None:
        searches.append(phase)

    data = b"".join([b'{"id": "%d", "status": "pending"}\n' % number for number in range(5_000)])
    gc.callbacks.append(note)
    try:
        read(data, "tasks.jsonl", now)
    finally:
        gc.callbacks.remove(note)
    assert searches.count("start") <= 1
    assert gc.isenabled()
