"""Tasks come in pages that a context has room for, whatever becomes of their files meanwhile."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from observatory import Observatory

Use: TypeAlias = Callable[..., Awaitable[Any]]
Write: TypeAlias = Callable[[Sequence[dict[str, Any]]], None]


def tasks(*ids: str, **fields: Any) -> list[dict[str, Any]]:
    """Return tasks with these ids."""
    return [{"id": id, "status": "pending", **fields} for id in ids]


def ids(page: Any) -> str:
    """Return the ids of a page, which are letters."""
    return "".join([task["id"] for task in page["tasks"]])


@pytest.fixture
async def write(observatory: Observatory, tmp_path: Path) -> Write:
    """Return what writes the tasks of a project that is looked after."""
    file = tmp_path / "project/tasks.jsonl"

    def write(tasks: Sequence[dict[str, Any]]) -> None:
        file.write_text("".join(json.dumps(task) + "\n" for task in tasks))

    write([])
    await observatory.swarm.add_project(str(file.parent))
    return write


async def test_pages(write: Write, use: Use) -> None:
    """Each page goes on where the one before has ended, and says how many follow."""
    write(tasks(*"abcdefg"))
    pages = [await use("get_tasks", limit=3)]
    while pages[-1]["next"]:
        pages.append(await use("get_tasks", limit=3, after=pages[-1]["next"]))
    assert [(ids(page), page["more"]) for page in pages] == [("abc", 4), ("def", 1), ("g", 0)]
    assert len(pages[0]["next"]) == 24


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        (tasks(*"ABabcde"), "cde"),  # some were put in front of it
        (tasks(*"bcde"), "cde"),  # one that was told is gone
        (tasks(*"acde"), "cde"),  # the last one that was told is gone
        (tasks(*"abde"), "de"),  # the one that was to follow is gone
        (tasks(*"abXcde"), "Xcde"),  # one was put between
        (tasks(*"acdeb"), "cdeb"),  # the last one that was told stands at the end now
        (tasks(*"abdec"), "dec"),  # the one that was to follow does
        (tasks("a") + tasks("b", status="completed") + tasks(*"cde"), "cde"),
        (tasks(*"ab") + tasks("c", status="completed") + tasks(*"de"), "de"),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(task["id"] for task in value),
)
async def test_files_that_change(write: Write, use: Use, then: list[dict[str, Any]], expected: str) -> None:
    """Whatever has become of tasks meanwhile, none that follows is left out, and none that was told comes in vain."""
    write(tasks(*"abcde"))
    first = await use("get_tasks", limit=2, status="pending")
    write(then)
    assert ids(await use("get_tasks", limit=10, status="pending", after=first["next"])) == expected


async def test_a_place_that_is_gone(write: Write, use: Use) -> None:
    """Where neither of the tasks is there between which a page has ended, one is told to begin again."""
    write(tasks(*"abcde"))
    first = await use("get_tasks", limit=2)
    write(tasks(*"ade"))
    assert "arguments.after: the tasks between which that was are gone" in await use("get_tasks", after=first["next"])


@pytest.mark.parametrize("after", ["", "c", "x" * 24, "0" * 25])
async def test_no_place(write: Write, use: Use, after: str) -> None:
    """What no call has returned is refused."""
    write(tasks("a"))
    assert "arguments.after: expected what a call has returned as `next`" in await use("get_tasks", after=after)


async def test_several_projects(observatory: Observatory, write: Write, use: Use, tmp_path: Path) -> None:
    """Pages go from one project to the next, whose tasks may have the same ids."""
    write(tasks(*"ab"))
    other = tmp_path / "other"
    other.mkdir()
    (other / "tasks.jsonl").write_text(json.dumps(tasks("a")[0]) + "\n")
    await observatory.swarm.add_project(str(other))
    found: list[tuple[str, str]] = []
    page: Any = {"next": None}
    while page["next"] or not found:
        page = await use("get_tasks", limit=1, after=page["next"])
        found += [(Path(task["project"]).name, task["id"]) for task in page["tasks"]]
    assert sorted(found) == [("other", "a"), ("project", "a"), ("project", "b")]


async def test_room(write: Write, use: Use) -> None:
    """A page has as many tasks as there is room for, by the settings or as asked for; then others follow."""
    write(tasks(*"abcdef", description="x" * 6_000))
    pages = [await use("get_tasks")]
    while pages[-1]["next"]:
        pages.append(await use("get_tasks", after=pages[-1]["next"]))
    assert [ids(page) for page in pages] == ["abc", "def"]
    assert not any(task["truncated"] for page in pages for task in page["tasks"])
    assert ids(await use("get_tasks", max_chars=100_000)) == "abcdef"
    assert ids(await use("get_tasks", max_chars=7_000)) == "a"
    assert "arguments.max_chars: expected 200 to 1,048,576" in await use("get_tasks", max_chars=100)


@pytest.mark.parametrize(
    "much",
    [
        {"description": "x" * 100_000},
        {"files": [f"file-{number}.py" for number in range(10_000)]},
        {"blocked_by": ["x" * 100_000]},
        {"owner": "x" * 100_000},
        {"priority": "x" * 100_000},
    ],
    ids=lambda much: next(iter(much)),
)
async def test_one_that_is_too_much(write: Write, use: Use, much: dict[str, Any]) -> None:
    """A task that has more than there is room for is cut and says so; others are not held up."""
    write(tasks("a", **much) + tasks("b"))
    page = await use("get_tasks", max_chars=1_000, limit=1)
    assert (ids(page), page["tasks"][0]["truncated"]) == ("a", True)
    assert len(json.dumps(page["tasks"])) < 2_500
    rest = await use("get_tasks", max_chars=1_000, after=page["next"])
    assert (ids(rest), rest["tasks"][0]["truncated"]) == ("b", False)


async def test_one_that_is_claimed(write: Write, use: Use) -> None:
    """What a task that was claimed says is bounded, too; whoever asks for enough room sees it whole."""
    write(tasks("a", description="x" * 100_000))
    claimed = await use("claim_task", task_id="a")
    assert claimed["truncated"]
    assert len(claimed["text"]) < 21_000
    [task] = (await use("get_tasks", max_chars=200_000))["tasks"]
    assert (task["truncated"], task["text"].count("x") >= 100_000) == (False, True)
