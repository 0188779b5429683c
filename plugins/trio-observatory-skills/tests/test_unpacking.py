"""From a package to the folder of a skill: all of it or nothing, and nothing beside it."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest
from hypothesis import given, settings, strategies as st
from observatory_skills import exchange, unpacking
from observatory_skills.errors import PackageError
from observatory_skills.packing import pack
from observatory_skills.places.access import LEFT_OUT
from observatory_skills.places.packages import PackagePlace
from observatory_skills.unpacking import unpack

from observatory import SKILL_FILE, SkillSourceError

TEXT = b"---\nname: pdf\ndescription: Reads what others have printed.\n---\n\nBody\n"
NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name not in LEFT_OUT  # no part of a skill
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


class TestUnpack:
    """From a package to a folder."""

    def test_back(self, skill: Path, tmp_path: Path, folders: Any) -> None:
        """What was packed comes out, with what may be executed; folders are made on the way."""
        folder = unpack(pack(skill), tmp_path / "new" / "skills")
        assert folder == tmp_path / "new" / "skills" / "pdf"
        assert folders.everything(folder) == folders.everything(skill)
        modes = {path: bool((folder / path).stat().st_mode & stat.S_IXUSR) for path in ("forms.md", "scripts/fill.py")}
        assert modes == {"forms.md": False, "scripts/fill.py": True}
        assert os.listdir(folder.parent) == ["pdf"]

    @pytest.mark.parametrize("replace", [False, True])
    def test_durable(self, skill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool) -> None:
        """Every file and folder is made durable before the skill appears, and then its name."""
        package, steps = pack(skill), list[int]()
        if replace:
            unpack(package, tmp_path / "new")
        synced, moved = os.fsync, exchange.exchange if replace else os.rename

        def sync(descriptor: int) -> None:
            steps.append(os.fstat(descriptor).st_ino)
            synced(descriptor)

        def move(one: Any, other: Any) -> None:
            steps.append(0)
            moved(one, other)

        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(*((unpacking, "exchange") if replace else (os, "rename")), move)
        folder = unpack(package, tmp_path / "new", replace=replace)
        before, after = steps[: steps.index(0)], steps[steps.index(0) + 1 :]
        assert {path.stat().st_ino for path in (folder, *folder.rglob("*"))} <= set(before)
        assert after == [folder.parent.stat().st_ino]

    @settings(max_examples=60, deadline=None)
    @given(files=st.dictionaries(PATHS, st.tuples(st.binary(max_size=50), st.booleans()), max_size=5))
    def test_any_files(
        self, files: dict[str, tuple[bytes, bool]], tmp_path_factory: pytest.TempPathFactory, folders: Any
    ) -> None:
        """Whatever files a skill has, they come out as they were; or it is refused, and nothing is left behind."""
        root = tmp_path_factory.mktemp("any")
        skill = root / "in" / "pdf"
        folders.make(skill, {SKILL_FILE: TEXT})
        for path, (data, executable) in files.items():
            try:
                folders.make(skill, {path: data})
            except OSError:
                continue  # a folder has that name, or a file that of its folder
            (skill / path).chmod(0o755 if executable else 0o644)
        try:
            package = pack(skill, root)
        except PackageError:
            assert sorted(os.listdir(root)) == ["in"]
            return
        assert folders.everything(unpack(package, root / "out")) == {
            path: data
            for path, data in folders.everything(skill).items()
            if data is not None or any((skill / path).iterdir())
        }
        assert pack(root / "out" / "pdf", root / "again.skill").read_bytes() == package.read_bytes()

    @settings(max_examples=300, deadline=None)
    @given(
        entries=st.lists(
            st.tuples(
                st.one_of(
                    st.lists(st.sampled_from(["..", ".", "", "pdf", "a", "A", "C:", "~", "é", "e\u0301", "x\\..\\y"]))
                    .map("/".join)
                    .map(lambda path: f"pdf/{path}"),
                    st.sampled_from(["/evil", "../evil", "..", "evil", "pdf", "PDF/x", ".pdf/x", "C:/evil", "\\evil"]),
                ),
                st.sampled_from([0, stat.S_IFREG | 0o6755, stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFDIR | 0o755]),
                st.sampled_from([b"", b"/etc", b"..", bytes(5000)]),
            ),
            max_size=4,
        )
    )
    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_hostile(self, entries: list[tuple[str, int, bytes]], tmp_path_factory: pytest.TempPathFactory) -> None:
        """Whatever entries a package has, nothing is written but plain files in the folder of the skill."""
        root = tmp_path_factory.mktemp("hostile")
        with ZipFile(root / "x.skill", "w") as archive:
            archive.writestr(f"pdf/{SKILL_FILE}", TEXT)
            for name, mode, data in entries:
                info = ZipInfo("x")
                info.filename, info.external_attr = name, mode << 16
                archive.writestr(info, data)
        (root / "skills").mkdir()
        try:
            unpack(root / "x.skill", root / "skills")
        except PackageError:
            assert os.listdir(root / "skills") == []
        else:
            assert os.listdir(root / "skills") == ["pdf"]
            for path in (root / "skills").rglob("*"):
                assert not path.is_symlink()
                assert path.is_file() or path.is_dir()
                assert not path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX)
        assert sorted(os.listdir(root)) == ["skills", "x.skill"]

    def test_bomb_inside(self, tmp_path: Path) -> None:
        """A package that is damaged in the middle leaves nothing behind."""
        with ZipFile(tmp_path / "x.skill", "w") as archive:
            archive.writestr(f"pdf/{SKILL_FILE}", TEXT)
            archive.writestr("pdf/data", b"here it is")
        (tmp_path / "x.skill").write_bytes((tmp_path / "x.skill").read_bytes().replace(b"here", b"gone"))
        (tmp_path / "skills").mkdir()
        with pytest.raises(PackageError, match="pdf/data: is damaged"):
            unpack(tmp_path / "x.skill", tmp_path / "skills")
        assert os.listdir(tmp_path / "skills") == []

    def test_git_is_left_out(self, tmp_path: Path, folders: Any) -> None:
        """A package cannot bring settings for git along."""
        with ZipFile(tmp_path / "x.skill", "w") as archive:
            archive.writestr(f"pdf/{SKILL_FILE}", TEXT)
            archive.writestr("pdf/.git/config", b"[core]\nfsmonitor = evil\n")
        assert folders.everything(unpack(tmp_path / "x.skill", tmp_path)) == {SKILL_FILE: TEXT}

    def test_there_already(self, skill: Path, folders: Any) -> None:
        """A skill that is there is not touched."""
        package = pack(skill)
        (skill / "forms.md").write_bytes(b"mine")
        before = folders.everything(skill.parent)
        with pytest.raises(PackageError, match="is there already: move it away, or replace it"):
            unpack(package, skill.parent)
        assert folders.everything(skill.parent) == before

    def test_comes_meanwhile(self, skill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor is one that comes while the package is unpacked."""
        package = pack(skill, tmp_path)
        monkeypatch.setattr(unpacking, "_check_place", lambda where, target, *, replace: None)
        with pytest.raises(SkillSourceError, match="not empty"):
            unpack(package, skill.parent)
        assert os.listdir(skill.parent) == ["pdf"]

    @pytest.mark.parametrize("at_once", [True, False])
    def test_replace(
        self, skill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool, folders: Any
    ) -> None:
        """With `replace` the old skill gives way as a whole, also where the system cannot exchange at once."""
        if not at_once:
            monkeypatch.setattr(exchange, "_at_once", lambda one, other: False)
        package = pack(skill, tmp_path)
        packed = folders.everything(skill)
        folders.make(skill, {"forms.md": b"mine", "old/file": b""})
        unpack(package, skill.parent, replace=True)
        assert folders.everything(skill) == packed
        assert os.listdir(skill.parent) == ["pdf"]

    def test_replace_nothing(self, skill: Path, tmp_path: Path, folders: Any) -> None:
        """With `replace` there need be nothing to replace."""
        assert folders.everything(unpack(pack(skill), tmp_path, replace=True)) == folders.everything(skill)

    def test_replace_a_link(self, skill: Path, tmp_path: Path, folders: Any) -> None:
        """Of a linked skill only the link gives way."""
        package = pack(skill)
        (tmp_path / "pdf").symlink_to(skill)
        (skill / "more").touch()
        before = folders.everything(skill)
        unpack(package, tmp_path, replace=True)
        assert not (tmp_path / "pdf").is_symlink()
        assert folders.everything(skill) == before

    def test_replace_no_skill(self, skill: Path, tmp_path: Path, folders: Any) -> None:
        """A folder that is no skill never gives way."""
        folders.make(tmp_path / "pdf", {"photos/me.jpg": b""})
        with pytest.raises(PackageError, match="no skill"):
            unpack(pack(skill), tmp_path, replace=True)
        assert folders.everything(tmp_path / "pdf") == {"photos": None, "photos/me.jpg": b""}

    @pytest.mark.parametrize("failing", [1, 2])
    def test_replace_fails(
        self, skill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, folders: Any
    ) -> None:
        """When the new skill cannot be put in its place, the old one is there as it was."""
        package = pack(skill, tmp_path)
        folders.make(skill, {"forms.md": b"mine"})
        before = folders.everything(skill)
        monkeypatch.setattr(exchange, "_at_once", lambda one, other: False)
        rename, calls = os.rename, iter(range(1, 9))

        def fail(old: str, new: str) -> None:
            if next(calls) == failing:
                raise OSError(errno.EIO, "Input/output error")
            rename(old, new)

        monkeypatch.setattr(os, "rename", fail)
        with pytest.raises(SkillSourceError, match="cannot be written: Input/output error"):
            unpack(package, skill.parent, replace=True)
        assert folders.everything(skill) == before
        assert os.listdir(skill.parent) == ["pdf"]

    @pytest.mark.parametrize("replace", [True, False])
    def test_full_disk(self, skill: Path, tmp_path: Path, replace: bool, folders: Any) -> None:
        """When it cannot be written, what was there stays, and nothing is left behind."""
        (skill / "noise").write_bytes(os.urandom(100_000))
        package = pack(skill)
        folder = skill.parent if replace else tmp_path / "skills2"
        folder.mkdir(exist_ok=True)
        before = folders.everything(folder)
        with folders.full_disk(), pytest.raises(SkillSourceError, match="cannot be written: File too large"):
            unpack(package, folder, replace=replace)
        assert folders.everything(folder) == before

    def test_not_there(self, tmp_path: Path) -> None:
        """A package that is not there is an error."""
        with pytest.raises(SkillSourceError, match="No such file"):
            unpack(tmp_path / "missing.skill", tmp_path)


def test_killed_anywhere(skill: Path, tmp_path: Path, folders: Any) -> None:
    """Whenever the process is killed, there is the old skill or the new one, and at most a hidden folder beside it."""
    package = pack(skill, tmp_path)
    new = folders.everything(skill)
    folders.make(skill, {"forms.md": b"mine"})
    old = folders.everything(skill)
    outcome = subprocess.run(
        [sys.executable, "-c", _KILLED, str(package), str(skill), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    moments = int(outcome.stdout)
    assert moments > 10
    results = []
    for folder in (tmp_path / str(moment) for moment in range(moments + 1)):
        assert all(name == "pdf" or name.startswith(".unpacking-") for name in os.listdir(folder))
        results.append(folders.everything(folder / "pdf"))
        assert results[-1] in (old, new)
    assert results[0] == old
    assert results[-1] == new
    assert results == sorted(results, key=lambda result: result == new)


_KILLED = """
import ctypes, os, shutil, signal, sys, tempfile
from observatory_skills.unpacking import unpack
ctypes.CDLL(None)
package, skill, root = sys.argv[1:]
moment = 0
while True:
    folder = os.path.join(root, str(moment))
    shutil.copytree(skill, os.path.join(folder, "pdf"))
    child = os.fork()
    if not child:
        left = moment
        def hook(event, args):
            global left
            if event.split(".")[0] in ("os", "open", "shutil", "tempfile", "ctypes"):
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
        sys.addaudithook(hook)
        unpack(package, folder, replace=True)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        print(moment)
        break
    moment += 1
"""


def test_comes_out_as_it_is_read(skill: Path, folders: Any) -> None:
    """What a package gives to a reader is what is unpacked."""
    place = PackagePlace(str(pack(skill)))
    assert {path: place.read(path) for path in [SKILL_FILE, *place.names()]} == {
        path: data for path, data in folders.everything(skill).items() if data is not None
    }
