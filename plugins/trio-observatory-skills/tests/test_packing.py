"""From the folder of a skill to a package."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from observatory_skills import packing
from observatory_skills.errors import InvalidSkillError, PackageError
from observatory_skills.packing import pack
from observatory_skills.values import Flaw

from observatory import SKILL_FILE, SkillSourceError

TEXT = b"---\nname: pdf\ndescription: Reads what others have printed.\n---\n\nBody\n"


class TestPack:
    """From a folder to a package."""

    def test_content(self, skill: Path, folders: Any) -> None:
        """A package has all files of the skill, in its folder, in order."""
        folders.make(skill, {f"pages/{number}": b"" for number in range(20)})
        package = pack(skill)
        assert package == skill.parent / "pdf.skill"
        with ZipFile(package) as archive:
            pages = sorted(f"pdf/pages/{number}" for number in range(20))
            assert archive.namelist() == ["pdf/SKILL.md", "pdf/forms.md", *pages, "pdf/scripts/fill.py"]
            assert archive.read("pdf/scripts/fill.py") == b"print()\n"

    def test_same_bytes(self, skill: Path, tmp_path: Path, folders: Any) -> None:
        """The same files give the same bytes, whenever and by whomever they were written, in whatever order."""
        first = pack(skill).read_bytes()
        folders.make(
            tmp_path / "again" / "pdf", {"scripts/fill.py": b"print()\n", "forms.md": b"# Forms\n", SKILL_FILE: TEXT}
        )
        for path in (tmp_path / "again" / "pdf").rglob("*.md"):
            os.utime(path, (0, 0))
            path.chmod(0o600)
        (tmp_path / "again" / "pdf" / "scripts" / "fill.py").chmod(0o700)
        assert pack(tmp_path / "again" / "pdf").read_bytes() == first
        assert pack(skill).read_bytes() == first

    def test_left_out(self, skill: Path, folders: Any) -> None:
        """What version control, Python and desktops leave behind is left out, links in it and all."""
        first = pack(skill).read_bytes()
        folders.make(skill, {".git/config": b"", "scripts/__pycache__/fill.pyc": b"", ".DS_Store": b""})
        (skill / ".git" / "link").symlink_to("/etc/passwd")
        (skill / "empty").mkdir()
        assert pack(skill).read_bytes() == first

    def test_target(self, skill: Path, tmp_path: Path) -> None:
        """A package is put into a folder that is there, or called as one likes, and replaces another one."""
        (tmp_path / "out").mkdir()
        assert pack(skill, tmp_path / "out") == tmp_path / "out" / "pdf.skill"
        (tmp_path / "other.skill").write_bytes(b"old")
        assert pack(str(skill), str(tmp_path / "other.skill")).read_bytes() == pack(skill).read_bytes()
        assert sorted(os.listdir(tmp_path)) == ["other.skill", "out", "skills"]

    def test_readable_for_others(self, skill: Path) -> None:
        """A package has the mode of any new file."""
        (skill.parent / "new").touch()
        assert pack(skill).stat().st_mode == (skill.parent / "new").stat().st_mode

    def test_linked_folder(self, skill: Path, tmp_path: Path) -> None:
        """The skill's folder may be a link."""
        (tmp_path / "linked").mkdir()
        (tmp_path / "linked" / "pdf").symlink_to(skill)
        package = pack(tmp_path / "linked" / "pdf")
        assert package == tmp_path / "linked" / "pdf.skill"
        assert package.read_bytes() == pack(skill).read_bytes()

    @pytest.mark.parametrize("target", ["pdf.zip", "skills/pdf", "skills/pdf/pdf.skill"])
    def test_target_without_sense(self, skill: Path, tmp_path: Path, target: str) -> None:
        """A package that has another ending, or would lie in the skill, is refused."""
        with pytest.raises(PackageError):
            pack(skill, tmp_path / target)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("link", "a link"),
            ("link out", "a link"),
            ("link to a folder", "a link"),
            ("pipe", "neither a file nor a folder"),
            ("back\\slash", "backslash"),
            ("\udcff", "no UTF-8"),
            ("FORMS.md", "twice"),
            ("zeros", "bomb"),
            ("d/" * 33 + "deep", "32 folders"),
        ],
    )
    def test_refused(self, skill: Path, name: str, reason: str, folders: Any) -> None:
        """What nobody could unpack is not packed, and nothing is left behind."""
        targets = {"link": "forms.md", "link out": "/etc/passwd", "link to a folder": "scripts"}
        if name in targets:
            (skill / name).symlink_to(targets[name])
        elif name == "pipe":
            os.mkfifo(skill / name)
        else:
            folders.make(skill, {name: bytes(3_000_000) if name == "zeros" else b""})
        with pytest.raises(SkillSourceError, match=reason) as caught:
            pack(skill)
        assert os.listdir(skill.parent) == ["pdf"]
        assert str(skill) in str(caught.value)

    def test_too_much(self, skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Too many files, or too large ones, are refused before they are read."""
        monkeypatch.setattr(packing, "MAX_FILES", 2)
        with pytest.raises(PackageError, match="more than 2 files"):
            pack(skill)

    def test_invalid(self, skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An invalid skill is refused with its flaws, and one with small flaws is not."""
        flaws = [Flaw(str(skill), 2, "name", "has a capital letter", fatal=False)]
        monkeypatch.setattr(packing, "validate", lambda path: flaws)
        pack(skill)
        flaws.append(Flaw(str(skill), 3, "description", "is missing"))
        with pytest.raises(InvalidSkillError, match="is missing"):
            pack(skill)

    def test_unreadable(self, skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that cannot be read is an error that names it."""

        def fail(folder: int, path: str) -> bytes:
            raise OSError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(packing, "read_in", fail)
        with pytest.raises(SkillSourceError, match=r"SKILL\.md: cannot be read: Permission denied"):
            pack(skill)
        assert os.listdir(skill.parent) == ["pdf"]

    def test_no_folder(self, skill: Path, tmp_path: Path) -> None:
        """What is no folder of a skill is an error, be it missing or a package."""
        with pytest.raises(SkillSourceError, match="No such file"):
            pack(tmp_path / "missing")
        package = pack(skill, tmp_path)
        with pytest.raises(SkillSourceError, match="cannot be read: Not a directory"):
            pack(package)
        assert sorted(os.listdir(tmp_path)) == ["pdf.skill", "skills"]

    def test_full_disk(self, skill: Path, folders: Any) -> None:
        """When it cannot be written, the old package stays, and nothing is left behind."""
        pack(skill).write_bytes(b"old")
        (skill / "noise").write_bytes(os.urandom(100_000))
        with folders.full_disk(), pytest.raises(SkillSourceError, match="cannot be written"):
            pack(skill)
        assert folders.everything(skill.parent)["pdf.skill"] == b"old"
        assert sorted(os.listdir(skill.parent)) == ["pdf", "pdf.skill"]
