"""Skills that are folders: found, one by one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from observatory_skills.places import access, open_place, scan_folder

from observatory import SKILL_FILE, Problem, SkillFile, SkillSourceError, UnknownNameError

HEAD = b"---\nname: pdf\ndescription: Reads what others have printed.\n---\n"


def make(folder: Path, **files: bytes) -> Path:
    """Make a skill, and return its folder."""
    folder.mkdir(parents=True)
    (folder / SKILL_FILE).write_bytes(HEAD + b"Body\n")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def found(folder: Path, *known: SkillFile) -> dict[str, SkillFile]:
    """Return the skills that are found, by their folders."""
    return {one.folder: one for one in scan_folder(str(folder), known) if isinstance(one, SkillFile)}


def problems(folder: Path) -> list[Problem]:
    """Return what cannot be read."""
    return [one for one in scan_folder(str(folder)) if isinstance(one, Problem)]


class TestScan:
    """Looking for skills in a folder."""

    def test_several(self, tmp_path: Path) -> None:
        """Skills directly in the folder are found in order of their names; what is hidden or no skill is not."""
        for name in ("b", "a", ".hidden", "deep/c"):
            make(tmp_path / name)
        (tmp_path / "file").touch()
        files = scan_folder(str(tmp_path), scope="project")
        assert [(file.folder, file.location, file.scope) for file in files if isinstance(file, SkillFile)] == [
            (name, str(tmp_path / name / SKILL_FILE), "project") for name in ("a", "b")
        ]
        assert len(files) == 2

    def test_itself(self, tmp_path: Path) -> None:
        """A folder that is a skill is the only one that is found."""
        make(make(tmp_path / "pdf") / "inner")
        assert list(found(tmp_path / "pdf")) == ["pdf"]

    def test_relative(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A location is absolute, so that it holds wherever one is later."""
        make(tmp_path / "pdf")
        monkeypatch.chdir(tmp_path / "pdf")
        assert found(Path("."))["pdf"].location == str(tmp_path / "pdf" / SKILL_FILE)

    def test_links_to_folders(self, tmp_path: Path) -> None:
        """A folder that is a link is a skill under the link's name; one round in a circle, or to nowhere, is none."""
        make(tmp_path / "elsewhere" / "pdf")
        folder = tmp_path / "skills"
        folder.mkdir()
        (folder / "linked").symlink_to(tmp_path / "elsewhere" / "pdf")
        (folder / "loop").symlink_to("loop")
        (folder / "back").symlink_to(folder)
        (folder / "nowhere").symlink_to("nothing")
        assert list(found(folder)) == ["linked"]
        assert problems(folder) == []

    def test_lower_case(self, tmp_path: Path) -> None:
        """`skill.md` makes a skill where there is no SKILL.md; beside one it is a resource."""
        (tmp_path / "low").mkdir()
        (tmp_path / "low" / "skill.md").write_bytes(HEAD)
        make(tmp_path / "both", **{"skill.md": b"other"})
        first = found(tmp_path)
        assert first["low"].location == str(tmp_path / "low" / "skill.md")
        assert open_place(first["low"].location).read(SKILL_FILE) == HEAD
        assert open_place(first["low"].location).names() == []
        with pytest.raises(UnknownNameError):
            open_place(first["low"].location).read("skill.md")
        assert open_place(first["both"].location).names() == ["skill.md"]
        assert found(tmp_path, *first.values())["low"] is first["low"]

    def test_nothing_there(self, tmp_path: Path) -> None:
        """A folder that is not there, or is a file, or can have no name, is a problem."""
        (tmp_path / "file").touch()
        for path in (tmp_path / "missing", tmp_path / "file", tmp_path / "zero\0byte"):
            (problem,) = problems(path)
            assert (problem.line, problem.problem.isprintable()) == (None, True)

    @pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
    def test_skill_file_of_another_kind(self, tmp_path: Path, kind: str) -> None:
        """A SKILL.md that is no file is a problem that names it, and the others are found."""
        make(tmp_path / "pdf")
        file = tmp_path / "bad" / SKILL_FILE
        file.parent.mkdir()
        make_special(kind, file)
        assert list(found(tmp_path)) == ["pdf"]
        assert [problem.where for problem in problems(tmp_path)] == [str(file)]

    def test_name_that_is_no_text(self, tmp_path: Path) -> None:
        """A folder whose name is no UTF-8 is a problem that can be printed."""
        make(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")))
        (problem,) = problems(tmp_path)
        assert "\\udcff" in problem.where
        assert problem.where.isprintable()

    def test_vanishes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that goes while it is looked at is a problem, and the others are found."""
        make(tmp_path / "a")
        make(tmp_path / "b")
        lstat = os.lstat

        def gone_after(path: str) -> os.stat_result:
            status = lstat(path)
            if path == str(tmp_path / "a" / SKILL_FILE):
                os.unlink(path)
            return status

        monkeypatch.setattr(os, "lstat", gone_after)
        assert [one.where if isinstance(one, Problem) else one.folder for one in scan_folder(str(tmp_path))] == [
            str(tmp_path / "a" / SKILL_FILE),
            "b",
        ]

    def test_no_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A skill that may not be looked at is a problem that says why, and the others are found."""
        make(tmp_path / "a")
        make(tmp_path / "b")
        self._fail(monkeypatch, "lstat", str(tmp_path / "a" / SKILL_FILE), errno.EACCES)
        assert problems(tmp_path) == [Problem(str(tmp_path / "a"), None, "cannot be read: Permission denied")]
        assert list(found(tmp_path)) == ["b"]

    @pytest.mark.parametrize("function", ["open", "listdir"])
    def test_out_of_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
        """When this process may open no more files, nothing can be told."""
        make(tmp_path / "a")
        self._fail(monkeypatch, function, None, errno.EMFILE)
        with pytest.raises(SkillSourceError, match="Too many open files"):
            scan_folder(str(tmp_path))

    def _fail(self, monkeypatch: pytest.MonkeyPatch, function: str, path: str | None, code: int) -> None:
        real: Callable[..., object] = getattr(os, function)

        def fail(at: str, *args: object, **options: object) -> object:
            if path in (None, at):
                raise OSError(code, os.strerror(code), at)
            return real(at, *args, **options)

        monkeypatch.setattr(os, function, fail)

    def test_head(self, tmp_path: Path) -> None:
        """The head goes as far as the frontmatter does, or 64 KiB."""
        long = b"---\nname: pdf\nlicense: " + b"x" * 20_000 + b"\n---\n"
        for name, text in {
            "long": long + b"y" * 60_000,
            "endless": b"---\n" + b"x" * 100_000,
            "crlf": b"---\r\n",
        }.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / SKILL_FILE).write_bytes(text)
        heads = {name: file.head for name, file in found(tmp_path).items()}
        assert heads["long"].startswith(long)
        assert len(heads["endless"]) == access.MAX_HEAD
        assert heads["crlf"] == b"---\r\n"

    def test_what_has_not_changed(self, tmp_path: Path) -> None:
        """What has not changed is the same object; what was written, or put in its place, is another one."""
        for name in ("same", "written", "replaced"):
            make(tmp_path / name)
        first = found(tmp_path)
        (tmp_path / "written" / SKILL_FILE).write_bytes(HEAD.replace(b"pdf", b"PDF") + b"Body\n")
        (tmp_path / "new").write_bytes(HEAD + b"Body\n")
        os.utime(tmp_path / "new", ns=(0, os.stat(tmp_path / "replaced" / SKILL_FILE).st_mtime_ns))
        os.replace(tmp_path / "new", tmp_path / "replaced" / SKILL_FILE)
        again = found(tmp_path, *first.values())
        assert {name: again[name] is first[name] for name in first} == {
            "same": True,
            "written": False,
            "replaced": False,
        }

    def test_opens_nothing_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What has not changed is not opened."""
        make(tmp_path / "pdf")
        first = found(tmp_path)
        monkeypatch.delattr(os, "open")
        assert found(tmp_path, *first.values()) == first


def make_special(kind: str, path: Path) -> None:
    """Make something that is no file."""
    if kind == "link":
        path.symlink_to(path.parent.parent / "pdf" / SKILL_FILE)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mknod(path, 0o600 | stat.S_IFSOCK)
