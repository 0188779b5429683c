"""Loading: what can be used is, what is wrong is told, and of one name one skill counts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from observatory_skills import (
    InvalidSkillError,
    Loaded,
    PackageError,
    Skill,
    body,
    catalogue,
    find,
    index,
    load,
    load_package,
    read_resource,
    resources,
)

from observatory import SkillSourceError, UnknownNameError

FULL = """\
name: pdf
description: >
  Reads PDF files.
license: Apache-2.0
compatibility: Needs poppler
metadata:
  author: example-org
  version: 1.10
allowed-tools: Bash(git add:*)  Read
homepage: https://example.org
"""
DESCRIBED = "description: What it does.\n"


def package(path: Path, fields: str) -> Path:
    """Write a package of a skill that is called pdf."""
    with ZipFile(path, "w") as archive:
        archive.writestr("pdf/SKILL.md", f"---\n{fields}---\n# PDF\n")
        archive.writestr("pdf/forms.md", "# Forms\n")
    return path


class TestLoad:
    """Where skills are found."""

    def test_folder_of_skills(self, skills: Any) -> None:
        """Skills directly in a folder are loaded, folders before packages; a field nobody knows is no matter."""
        file = skills.write("pdf", FULL)
        skills.write("git")
        packed = package(skills.root / "zip.skill", f"name: zip\n{DESCRIBED}")
        loaded = load(skills.root)
        assert [skill.name for skill in loaded.skills] == ["git", "pdf", "zip"]
        assert loaded.skills[1] == Skill(
            "pdf",
            "Reads PDF files.",
            str(file),
            license="Apache-2.0",
            compatibility="Needs poppler",
            metadata={"author": "example-org", "version": "1.10"},
            allowed_tools=("Bash(git add:*)", "Read"),
        )
        assert loaded.skills[2].location == str(packed)
        assert [flaw.where for flaw in loaded.flaws] == [str(packed)]  # it is in a folder of another name
        assert (loaded.shadowed, loaded.untrusted) == ((), ())

    @pytest.mark.parametrize("name", ["", "SKILL.md"])
    def test_one_skill(self, skills: Any, name: str) -> None:
        """The folder of a skill is one skill, and so is its SKILL.md; packages in it are its resources."""
        skills.write("pdf", FULL)
        package(skills.root / "pdf" / "other.skill", FULL)
        assert [skill.license for skill in load(skills.root / "pdf" / name).skills] == ["Apache-2.0"]

    def test_package(self, tmp_path: Path) -> None:
        """A package is one skill."""
        path = package(tmp_path / "pdf.skill", FULL)
        assert load(path).skills == (load_package(path),)

    @pytest.mark.parametrize("path", ["missing", "missing\0", "x" * 300, "file/SKILL.md"])
    def test_nothing_there(self, tmp_path: Path, path: str) -> None:
        """A path that leads to nothing is an error."""
        (tmp_path / "file").touch()
        with pytest.raises(SkillSourceError) as info:
            load(tmp_path / path)
        assert info.value.where == str(tmp_path / path)

    def test_no_skills(self, tmp_path: Path) -> None:
        """A folder without skills is no error."""
        assert load(tmp_path) == Loaded(())

    def test_folder_that_cannot_be_listed(self, skills: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """What cannot be read is told once."""

        def refuse(path: object) -> None:
            raise PermissionError(13, "Permission denied")

        skills.root.mkdir()
        monkeypatch.setattr(os, "listdir", refuse)
        (flaw,) = load(skills.root).flaws
        assert (flaw.where, flaw.line, flaw.problem) == (str(skills.root), None, "cannot be read: Permission denied")

    def test_skills_that_vanish(self, skills: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that vanishes during loading takes no other skill with it."""
        doomed = skills.write("doomed")
        skills.write("pdf")
        opened = os.open

        def late(path: Any, *args: Any, **kwargs: Any) -> int:
            if path == str(doomed):
                doomed.unlink()
                doomed.parent.rmdir()
            return opened(path, *args, **kwargs)

        monkeypatch.setattr(os, "open", late)
        loaded = load(skills.root)
        assert [skill.name for skill in loaded.skills] == ["pdf"]
        assert [flaw.where for flaw in loaded.flaws] == [str(doomed)]


def test_what_was_loaded(skills: Any) -> None:
    """It is handed on as the skills that count."""
    skills.write("pdf")
    skills.write("csv", "name: csv\n")
    loaded = load(skills.root)
    assert len(loaded) == 1
    assert [*loaded] == [*index(loaded).values()] == [*loaded.skills]
    assert "<name>pdf</name>" in catalogue(loaded)


class TestIndex:
    """Finding by name."""

    def test_first_counts(self) -> None:
        """Of two skills with one name the first counts, and an unknown name is None."""
        one, two = Skill("pdf", "x", "/one"), Skill("pdf", "x", "/two")
        skills = index([one, two, Skill("git", "x", "/git")])
        assert find(skills, "pdf") is one
        assert list(skills) == ["pdf", "git"]
        assert find(skills, "zip") is None

    def test_does_not_change(self) -> None:
        """An index is what it was when it was made."""
        skills: Any = index([])
        with pytest.raises(TypeError):
            skills["pdf"] = Skill("pdf", "x", "/one")


class TestPackage:
    """One package."""

    def test_tiers(self, tmp_path: Path) -> None:
        """Its body and resources are read from it."""
        skill = load_package(package(tmp_path / "pdf.skill", FULL))
        assert skill.location == str(tmp_path / "pdf.skill")
        assert body(skill) == "# PDF\n"
        assert resources(skill) == ("forms.md",)
        assert read_resource(skill, "forms.md") == b"# Forms\n"

    def test_broken_skill(self, tmp_path: Path) -> None:
        """A skill that cannot be used is an error with its flaws."""
        with pytest.raises(InvalidSkillError, match="line 1: there is no description") as info:
            load_package(package(tmp_path / "pdf.skill", "name: pdf\n"))
        assert info.value.where == str(tmp_path / "pdf.skill")
        assert [flaw.field for flaw in info.value.flaws] == ["description"]

    def test_no_package(self, tmp_path: Path) -> None:
        """A file that is no package is an error."""
        (tmp_path / "pdf.skill").write_bytes(b"PK")
        with pytest.raises(PackageError, match=r"pdf\.skill"):
            load_package(tmp_path / "pdf.skill")


class TestTiers:
    """What an agent asks for once it knows of a skill."""

    def test_body(self, skills: Any) -> None:
        """The body is what follows the frontmatter, in lines that end with a newline alone."""
        skills.write_bytes("pdf", f"---\nname: pdf\n{DESCRIBED}---\n\n# PDF\r\n---\rend".encode())
        assert body(load(skills.root).skills[0]) == "\n# PDF\n---\nend"

    def test_body_of_ten_megabytes(self, skills: Any) -> None:
        """A large body is read when it is asked for."""
        skills.write("pdf", body="0123456789\n" * 1_000_000)
        assert len(body(load(skills.root).skills[0])) == 11_000_000

    def test_body_that_is_not_utf_8(self, skills: Any) -> None:
        """Its skill is loaded; what asks for the body is told the line."""
        skills.write_bytes("pdf", f"---\nname: pdf\n{DESCRIBED}---\n# PDF\n".encode() + b"a\xffb\n")
        (skill,) = load(skills.root).skills
        with pytest.raises(InvalidSkillError, match="line 6: byte 0xff"):
            body(skill)

    def test_body_after_a_change(self, skills: Any) -> None:
        """A skill that has become unusable since is an error with its flaws."""
        skills.write("pdf")
        (skill,) = load(skills.root).skills
        skills.write("pdf", "name: pdf\nname: pdf\n")
        with pytest.raises(InvalidSkillError, match="line 3: 'name' stands in line 2 already"):
            body(skill)

    def test_gone(self, skills: Any) -> None:
        """A skill whose folder is gone is an error that names the file."""
        skills.write("pdf")
        (skill,) = load(skills.root).skills
        shutil.rmtree(skills.root)
        for read in (body, resources):
            with pytest.raises(SkillSourceError) as info:
                read(skill)
            assert info.value.where.startswith(str(skills.root / "pdf"))

    def test_resources(self, skills: Any) -> None:
        """Every other file of its folder is a resource, and can be read."""
        skills.write("pdf")
        skills.write_bytes("pdf/scripts", b"print()\n", "fill.py")
        (skill,) = load(skills.root).skills
        assert resources(skill) == ("scripts/fill.py",)
        assert read_resource(skill, "scripts/fill.py") == b"print()\n"

    @pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link", "folder/secret", "x/../../secret", ""])
    def test_nothing_leads_out(self, skills: Any, path: str) -> None:
        """A path that leaves the folder is that of no resource, also through a link."""
        skills.write("pdf")
        (skills.root / "secret").write_text("secret")
        (skills.root / "pdf" / "link").symlink_to(skills.root / "secret")
        (skills.root / "pdf" / "folder").symlink_to(skills.root)
        (skill,) = load(skills.root / "pdf").skills
        with pytest.raises(UnknownNameError) as info:
            read_resource(skill, path)
        assert info.value.name == path
