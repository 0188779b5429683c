"""`observatory demo`: agents read a folder and tell what they found."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from observatory import Settings, open_observatory
from observatory.cli.demo import agents
from observatory.cli.demo.checking import Question, look_up, question_about
from observatory.cli.demo.finding import MAX_FILES, find_files
from observatory.cli.demo.reading import MAX_BYTES, Findings, Place, read_file


def test_the_report_follows_from_the_files(run: Any, folder: Path) -> None:
    """Counts, a broken link, a mark, and what the reviewer asked."""
    result = run("demo", str(folder))
    assert result.code == 0
    assert "3 files read: 77 words, 2 headings, 2 code blocks, 1 mark of unfinished work, 1 broken link" in result.out
    assert "| broken link: lost.md | guide.md:3 |" in result.out
    assert "| TODO: light more lanterns | guide.md:10 |" in result.out
    assert (
        "| line 3 of guide.md links to lost.md, which is not there. What is? | nothing of a similar name" in result.out
    )
    assert "| line 1 of deep/notes.txt has 300 characters. What is in it? | plain plain" in result.out
    assert "| travellers.md says “travellers” 3 times. Where? | line 1: # Travellers" in result.out
    assert "| 50 | plain |" in result.out


def test_another_folder_gives_another_report(run: Any, folder: Path) -> None:
    """Nothing of it is invented."""
    (folder / "guide.md").unlink()
    out = run("demo", str(folder)).out
    assert "0 broken links" in out
    assert "guide.md" not in out


def test_all_that_is_said_goes_through_mailboxes(run: Any, folder: Path) -> None:
    """Every message is a line, from whom and to whom."""
    lines = [line.split() for line in run("demo", str(folder)).out.splitlines() if "→" in line]
    said = [(line[1].split("-")[0], line[3].split("-")[0], line[4]) for line in lines]
    assert said.count(("planner", "worker", "task")) == 3
    assert said.count(("worker", "reviewer", "report")) == 3
    assert said.count(("reviewer", "worker", "question")) == said.count(("worker", "reviewer", "answer")) == 3
    assert said[-1] == ("planner", "you", "report")


def test_the_summary_counts_messages_and_requests(run: Any, folder: Path) -> None:
    """A plan, 3 tasks, reports, questions and answers each, a review, 4 stops and the report."""
    assert re.search(r"^19 messages, 3 requests among them, in \d+\.\d\d s$", run("demo", str(folder)).out, re.M)


def test_the_report_waits_in_the_inbox(run: Any, folder: Path, root: Path) -> None:
    """Everything else was acknowledged, so that it is the only file."""
    out = run("demo", str(folder)).out
    assert f"observatory inbox you --root {root}" in out
    (message,) = map(json.loads, run("inbox", "you", "--json").out.splitlines())
    assert message["content"].startswith("# Report\n\n3 files read")
    assert [path.parent.name for path in root.glob("inbox/*/*")] == ["you"]


def test_without_a_root_it_makes_a_folder_and_names_it(
    run: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never that of the settings: they may be those of real agents."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("OBSERVATORY_ROOT", str(tmp_path / "real"))
    result = run("demo", str(folder), root="")
    (made,) = tmp_path.glob("observatory-demo-*")
    assert f"The inboxes are in {made}/inbox." in result.out
    assert not (tmp_path / "real").exists()


def test_the_docs_of_the_current_folder_are_the_default(run: Any, elsewhere: Path) -> None:
    """And without docs the current folder itself."""
    (elsewhere / "a.md").write_text("outside")
    assert "| 1 | 0 | 0 | 7 | a.md |" in run("demo").out
    (elsewhere / "docs").mkdir()
    (elsewhere / "docs" / "b.md").write_text("inside of it")
    assert "| 3 | 0 | 0 | 12 | b.md |" in run("demo").out


def test_an_empty_folder_gives_an_empty_report(run: Any, tmp_path: Path) -> None:
    """The work is done at once."""
    empty = tmp_path / "empty"
    empty.mkdir()
    result = run("demo", str(empty))
    assert result.code == 0
    assert "0 files read" in result.out


def test_a_folder_that_is_none_is_an_error(run: Any) -> None:
    """One line that names it."""
    result = run("demo", "nowhere")
    assert (result.code, result.err) == (1, "observatory: folder: nowhere is no folder\n")


def test_what_cannot_be_read_is_reported_with_its_reason(run: Any, tmp_path: Path) -> None:
    """Binary, foreign, huge, linked, special or with a name that is no text: nothing stops the work."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "binary.bin").write_bytes(b"a\0b")
    (folder / "foreign.txt").write_bytes(b"caf\xe9")
    (folder / "huge.txt").write_bytes(b"x" * (MAX_BYTES + 1))
    (folder / "empty.md").touch()
    (folder / "loop").symlink_to(folder)
    (folder / ".hidden").write_text("hidden")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "theirs.md").write_text("theirs")
    os.mkfifo(folder / "pipe")
    Path(os.fsdecode(bytes(folder) + b"/b\xffd")).touch()
    Path(folder / "e\x1b[31mvil|name.md").write_text("word " * 3)
    result = run("demo", str(folder))
    assert result.code == 0
    for row in (
        "| binary | binary.bin |",
        "| no text in UTF-8 | foreign.txt |",
        "| larger than 1,024 KiB | huge.txt |",
        "| a symbolic link | loop |",
        "| neither a file nor a folder | pipe |",
        "| its name is not UTF-8 | b\\xffd |",
        "| 0 | 0 | 0 | 0 | empty.md |",
        "| 3 | 0 | 0 | 15 | e\\x1b[31mvil\\|name.md |",
    ):
        assert row in result.out
    assert "hidden" not in result.out
    assert "theirs" not in result.out


async def test_a_file_that_has_gone_is_a_finding(folder: Path) -> None:
    """The reason is the system's."""
    findings = await read_file(folder, "gone.md")
    assert findings == Findings(path="gone.md", problem="No such file or directory")


async def test_a_folder_that_cannot_be_listed_is_left_out(folder: Path) -> None:
    """Where it is the folder itself, there is nothing to read."""
    assert (await find_files(folder / "gone")).left_out == ((".", "No such file or directory"),)


async def test_no_more_than_a_thousand_files_are_read(tmp_path: Path) -> None:
    """What is left out is said."""
    for number in range(MAX_FILES + 120):
        (tmp_path / f"{number:04}").touch()
    found = await find_files(tmp_path)
    assert len(found.files) == MAX_FILES
    assert found.left_out == (("…", "only the first 1,000 files are read"),)


async def test_what_is_left_out_is_bounded(tmp_path: Path) -> None:
    """It travels in the metadata of a message."""
    for number in range(120):
        (tmp_path / f"{number:04}").symlink_to("nowhere")
    assert len((await find_files(tmp_path)).left_out) == 100


async def test_broken_links_are_bounded(tmp_path: Path) -> None:
    """They travel in the metadata of a message too."""
    (tmp_path / "a.md").write_text("[x](nowhere.md)\n" * 20)
    assert len((await read_file(tmp_path, "a.md")).broken_links) == 10


def test_a_long_report_is_cut(run: Any, tmp_path: Path) -> None:
    """It says how much more there is."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.txt").write_text("word")
    assert "| … | … | … | … | and 10 more |" in run("demo", str(folder)).out


@pytest.mark.parametrize(
    ("findings", "subject"),
    [
        (Findings(path="a", broken_links=[Place(3, "b.md")], marks=[Place(1, "TODO")]), "b.md"),
        (Findings(path="a", marks=[Place(1, "TODO")], longest=300, longest_line=2), "1"),
        (Findings(path="a", longest=300, longest_line=2, terms={"term": 1}), "2"),
        (Findings(path="a", longest=20, longest_line=2, terms={"term": 1}), "term"),
        (Findings(path="a"), None),
    ],
)
def test_the_reviewer_asks_about_what_is_most_likely_a_mistake(findings: Findings, subject: str | None) -> None:
    """Broken links first, then marks, then long lines; a frequent term where nothing is wrong."""
    question = question_about(findings)
    assert (question and question.subject) == subject


@pytest.mark.parametrize(
    ("kind", "subject", "answer"),
    [
        ("link", "traveler.md", "travellers.md has the nearest name"),
        ("link", "zzz.md", "nothing of a similar name"),
        ("link", "nowhere/zzz.md", "there is no folder nowhere"),
        ("line", "1", "# Guide"),
        ("line", "99", "there are only 10 lines by now"),
        ("term", "lanterns", "line 3: Lanterns guide"),
        ("term", "gone", "nowhere by now"),
    ],
)
async def test_a_worker_answers_from_the_file_as_it_is_now(folder: Path, kind: Any, subject: str, answer: str) -> None:
    """It may have changed since the report."""
    question = Question(path="guide.md", kind=kind, subject=subject, text="")
    found = await look_up(folder, {"path": question.path, "kind": kind, "subject": subject, "text": ""})
    assert found.startswith(answer)


async def test_a_worker_says_when_the_file_has_gone(folder: Path) -> None:
    """An answer comes all the same."""
    found = await look_up(folder, {"path": "gone.md", "kind": "line", "subject": "1", "text": ""})
    assert found.startswith("it cannot be read any more: ")


async def test_the_agents_need_nothing_but_a_mailbox(folder: Path, root: Path) -> None:
    """Two programs may run them at once on roots of their own."""
    async with open_observatory(Settings(root=root)) as observatory, trio.open_nursery() as nursery:
        nursery.start_soon(agents.worker, observatory.mailbox, "solo", folder)
        nursery.start_soon(agents.reviewer, observatory.mailbox)
        nursery.start_soon(agents.planner, observatory.mailbox, folder, ["solo"])
        report = await observatory.mailbox.receive(agents.YOU)
    assert report.content.startswith("# Report\n\n3 files read")
