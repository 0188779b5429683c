"""Lines to tasks: whatever a file holds is read, and what is wrong with it is named with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from observatory import to_wire
from observatory.problems import Problem
from observatory.swarm import parsing
from observatory.swarm.parsing import MAX_PROBLEMS, Parsed, parse, task_of
from observatory.swarm.pipeline import read
from observatory.swarm.values import STATUSES, SwarmTask

BOM = b"\xef\xbb\xbf"
FIELDS = ["id", "status", "subject", "description", "owner", "priority", "blocked_by", "files", "done_when"]
FIELDS += ["updated", "created", "notes", "tags", "unknown"]
MOMENTS = ["2026-11-21T12:00:00Z", "2026-11-21", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"]
MOMENTS += ["2026-11-21T12:00", "2026-11-21T12:00:00+00:00:00.000001", "2026-W47-6", "20261121T120000,5Z"]
KINDS = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from(["", "a", "b", *STATUSES, *MOMENTS])
    | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=4,
)
"""JSON of every kind, and beyond: NaN, infinities, huge integers, halves of surrogate pairs."""
TASKS = st.dictionaries(st.sampled_from(FIELDS), KINDS) | st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", 3]), "status": st.sampled_from(STATUSES)},
    optional={"blocked_by": st.lists(st.sampled_from(["a", "b", 3, "c"])), "updated": KINDS, "tags": KINDS},
)
ODD = [
    b"",
    b" \t\x0b\r",
    b"\xff\xfe",
    BOM + b'{"id": "a"}',
    b'{"id": "a", "status": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    b'{"id": "a", "unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"id": "a", "updated": ' + b'{"a":' * 1_000 + b"1" + b"}" * 1_000 + b"}",
    b'{"id": "a", "priority": ' + b"9" * 5_000 + b"}",
    b'{"id": "a", "priority": 1e400}',
    b'{"id": "a", "updated": -1e300}',
    b'{"id": "a", "updated": 1e300}',
    b'{"id": "a", "subject": "\\ud800"}',
    b'{"id": "a", "id": "b"}',
    b'{"id": "a", "status": "pending", "subje',
]
LINES = (
    st.one_of(KINDS, TASKS).map(json.dumps).map(str.encode)
    | TASKS.map(lambda task: json.dumps(task, ensure_ascii=False).encode(errors="surrogatepass"))
    | st.sampled_from(ODD)
    | st.binary(max_size=20)
)
FILES = st.lists(LINES, max_size=8).flatmap(
    lambda lines: st.sampled_from([mark + end.join(lines) for mark in (b"", BOM) for end in (b"\n", b"\r\n", b"\n\n")])
)


def parse_one(**fields: Any) -> tuple[SwarmTask, Sequence[str]]:
    """Return the task of a line, and what is wrong with it."""
    task, faults = task_of(json.dumps({"id": "a", "status": "pending"} | fields).encode())
    assert task
    return task, faults


def problems_of(parsed: Parsed) -> list[tuple[int | None, str]]:
    """Return which lines have what problem, up to its first colon."""
    return [(problem.line, problem.problem.partition(":")[0]) for problem in parsed.problems]


@given(data=FILES | st.binary())
def test_whatever_a_file_holds_can_be_sent(now: datetime, data: bytes) -> None:
    """Any bytes are read, and what comes of them is what JSON can hold."""
    assert orjson.dumps(to_wire(read(data, "tasks.jsonl", now).pipeline))


@given(data=FILES)
def test_every_line_is_accounted_for(data: bytes) -> None:
    """Every line that is not blank is a task, was skipped, or gave way to a later one with its id."""
    parsed = parse(data, "tasks.jsonl")
    lines = [line for line in data.removeprefix(BOM).split(b"\n") if line.strip()]
    replaced = [problem for problem in parsed.problems if "the last one counts" in problem.problem]
    assert len(parsed.tasks) + parsed.skipped + len(replaced) == len(lines)
    assert len({problem.line for problem in parsed.problems}) >= parsed.skipped


@given(lines=st.lists(LINES.filter(lambda line: b"\n" not in line), min_size=1, max_size=8), data=st.data())
def test_a_line_takes_no_other_with_it(lines: list[bytes], data: st.DataObject) -> None:
    """Whatever stands around it, a line's task is read."""
    lines.insert(data.draw(st.integers(0, len(lines))), b'{"id": "the one", "status": "failed"}')
    assert SwarmTask("the one", "failed") in parse(b"\n".join(lines), "tasks.jsonl").tasks


def test_every_field() -> None:
    """A task has every field that its line has; fields that nobody knows are passed over."""
    fields = {
        "id": "a",
        "status": "in_progress",
        "subject": "Move it",
        "description": "There.",
        "owner": "agent",
        "priority": 1.5,
        "blocked_by": ["b"],
        "files": ["x", "y"],
        "done_when": "it is there",
        "updated": "2026-11-21T13:00:00+01:00",
        "created": "2026-11-20T13:00:00+01:00",
        "notes": "heavy",
        "tags": ["move"],
        "unknown": {},
    }
    moment = datetime(2026, 11, 21, 12, tzinfo=UTC)
    task = SwarmTask(
        "a",
        "in_progress",
        "Move it",
        "There.",
        "agent",
        1.5,
        ("b",),
        ("x", "y"),
        "it is there",
        moment,
        "heavy",
        ("move",),
    )
    assert task_of(json.dumps(fields).encode()) == (task, [])


@pytest.mark.parametrize("empty", [None, "", []])
def test_fields_without_a_value(empty: object) -> None:
    """A field that is null, or empty, is as one that is missing."""
    names = (
        ["blocked_by", "files", "tags"] if empty == [] else ["subject", "description", "owner", "done_when", "notes"]
    )
    assert parse_one(**dict.fromkeys(names, empty)) == (SwarmTask("a", "pending"), [])


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"status": "done"}, f"status: expected one of {', '.join(STATUSES)}, got 'done'"),
        ({"status": None}, f"status: expected one of {', '.join(STATUSES)}, got null"),
        ({"status": ["pending"]}, f"status: expected one of {', '.join(STATUSES)}, got a list"),
        ({"subject": 1}, "subject: expected a string, got an integer"),
        ({"owner": {}}, "owner: expected a string, got a table"),
        ({"priority": True}, "priority: expected a string or a number, got a boolean"),
        ({"blocked_by": "b"}, "blocked_by: expected a list, got a string"),
        ({"files": [None]}, "files: expected a list of strings, and not all are"),
        ({"tags": [True]}, "tags: expected a list of strings, and not all are"),
        ({"updated": "soon"}, "updated: expected a moment, such as 2026-01-31T12:00:00Z, got 'soon'"),
        ({"created": []}, "created: expected a moment, such as 2026-01-31T12:00:00Z, got a list"),
    ],
)
def test_field_that_is_wrong(fields: Mapping[str, Any], fault: str) -> None:
    """A field that is wrong is named with what was expected, and the task is read without it."""
    status = "unknown" if "status" in fields else "pending"
    assert parse_one(**fields) == (SwarmTask("a", status), [fault])


def test_list_with_one_that_is_wrong() -> None:
    """Of a list those are kept that are strings."""
    task, _ = parse_one(files=["x", None, "y"])
    assert task.files == ("x", "y")


def test_numbers_as_ids() -> None:
    """An integer is an id as well, as Claude Code writes them."""
    task, faults = parse_one(id=3, blocked_by=[2, 1])
    assert (task.id, task.blocked_by, faults) == ("3", ("2", "1"), [])


@pytest.mark.parametrize(
    "updated",
    [
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00",
        "2026-11-21T14:30:00+02:30",
        1_795_262_400,
        1_795_262_400.0,
        1_795_262_400_000,
    ],
)
def test_moments(now: datetime, updated: object) -> None:
    """A moment is written in ISO 8601, without a zone in UTC, or as seconds or milliseconds since 1970."""
    task, faults = parse_one(updated=updated)
    assert (task.updated, faults) == (now, [])


@pytest.mark.parametrize(
    "updated", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", 1e300, -1e300, 10**17, -(10**17), True]
)
def test_moments_that_are_none(updated: object) -> None:
    """What has no year in UTC is no moment."""
    task, [fault] = parse_one(updated=updated)
    assert task.updated is None
    assert fault.startswith("updated: ")


@pytest.mark.parametrize("updated", [None, "soon"])
def test_updated_falls_back_to_created(now: datetime, updated: object) -> None:
    """Without a moment of its last update a task was updated when it was made."""
    task, _ = parse_one(updated=updated, created=now.isoformat())
    assert task.updated == now


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id": "a", "stat', "is no JSON, or only half written"),
        (b'{"id": "\xff"}', "is no JSON, or only half written"),
        (b'{"id": "a", "priority": NaN}', "is no JSON, or only half written"),
        (b'["a"]', "expected a JSON object, got a list"),
        (b"{}", "has no id"),
        (b'{"id": ""}', "has no id"),
        (b'{"id": true}', "has no id"),
        (b'{"id": 18446744073709551616}', "has no id"),
    ],
)
def test_line_that_is_no_task(line: bytes, problem: str) -> None:
    """A line that is no task is skipped, counted and named."""
    parsed = parse(b'\n{"id": "b", "status": "failed"}\n' + line, "tasks.jsonl")
    assert (parsed.tasks, parsed.skipped, problems_of(parsed)) == ((SwarmTask("b", "failed"),), 1, [(3, problem)])


def test_every_problem_of_a_line() -> None:
    """Each of several things that are wrong with a line is named."""
    parsed = parse(b'\r\n{"id": "a", "notes": 1, "tags": 1}', "tasks.jsonl")
    assert problems_of(parsed) == [(2, "status"), (2, "notes"), (2, "tags")]


@pytest.mark.parametrize("data", [b"", BOM, b"\n", b"\r\n \n\t"])
def test_nothing(data: bytes) -> None:
    """A file in which nothing stands has no tasks, and nothing is wrong with it."""
    parsed = parse(data, "tasks.jsonl")
    assert (parsed.tasks, parsed.problems, parsed.skipped) == ((), (), 0)


@pytest.mark.parametrize("data", [BOM + b'{"id": "a", "status": "failed"}', b'{"id": "a", "status": "failed"}\r\n'])
def test_marks_of_other_systems(data: bytes) -> None:
    """A byte order mark at the beginning, and carriage returns at the ends of lines, are nothing to speak of."""
    parsed = parse(data, "tasks.jsonl")
    assert (parsed.tasks, parsed.problems) == ((SwarmTask("a", "failed"),), ())


def test_the_last_of_several_with_one_id_counts() -> None:
    """Of several tasks with one id the last one counts, in its place; each before is named."""
    data = b'{"id": "a", "status": "failed"}\n{"id": "b", "status": "failed"}\n{"id": "a", "status": "pending"}'
    parsed = parse(data, "tasks.jsonl")
    assert parsed.tasks == (SwarmTask("b", "failed"), SwarmTask("a", "pending"))
    assert parsed.problems == (Problem("tasks.jsonl", 3, "there is a task 'a' before: the last one counts"),)


def test_as_many_tasks_as_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows when there are as many tasks as are allowed is not read; that is a problem of its line."""
    monkeypatch.setattr(parsing, "MAX_TASKS", 2)
    lines = [json.dumps({"id": id, "status": "pending"}).encode() for id in "abacd"]
    parsed = parse(b"\n".join(lines), "tasks.jsonl")
    assert [task.id for task in parsed.tasks] == ["b", "a"]
    assert parsed.problems[1:] == (Problem("tasks.jsonl", 4, "more than 2 tasks: what follows is not read"),)


def test_as_many_problems_as_are_noted(now: datetime) -> None:
    """The first 1,000 problems are noted, those of what tasks wait for included; all lines are counted."""
    waiting = json.dumps({"id": "a", "status": "failed", "blocked_by": [f"x{number}" for number in range(2_000)]})
    for broken in (1, MAX_PROBLEMS + 1):
        pipeline = read(b"{\n" * broken + waiting.encode(), "tasks.jsonl", now).pipeline
        assert len(pipeline.problems) == MAX_PROBLEMS
        assert pipeline.skipped == broken


@pytest.mark.parametrize(
    ("needs", "problems"),
    [
        (["a"], ["task 'a' waits for itself, which is left out"]),
        (["x", "y", "x"], ["task 'a' waits for 'x', which is not there", "task 'a' waits for 'y', which is not there"]),
        (["gone"], []),
        (["b", "b"], ["2 tasks wait for each other, so that none can begin: 'a', 'b'"]),
    ],
)
def test_problems_of_what_is_waited_for(now: datetime, needs: list[str], problems: list[str]) -> None:
    """What a task waits for in vain is named once, but not what was deleted; cycles are named with their tasks."""
    tasks = [
        {"id": "a", "status": "pending", "blocked_by": needs},
        {"id": "b", "status": "pending", "blocked_by": ["a"]},
        {"id": "gone", "status": "deleted"},
    ]
    data = "\n".join(map(json.dumps, tasks)).encode()
    expected = tuple(Problem("tasks.jsonl", None, problem) for problem in problems)
    assert read(data, "tasks.jsonl", now).pipeline.problems == expected
