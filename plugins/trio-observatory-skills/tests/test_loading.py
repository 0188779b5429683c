"""Loading: what can be used is, what is wrong is told, and of one name one skill counts."""

from __future__ import annotations

import os
import shutil
import unicodedata
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


class TestLeniently:
    """What is wrong, and loaded all the same."""

    @pytest.mark.parametrize(
        ("fields", "line", "field", "problem"),
        [
            (f"name: PDF\n{DESCRIBED}", 2, "name", "'PDF' is no name for a skill: 1 to 64 lowercase letters"),
            (f"name: pdf-\n{DESCRIBED}", 2, "name", "'pdf-' is no name for a skill"),
            (f"{DESCRIBED}name: other\n", 3, "name", "the name 'other' is not that of the folder, 'pdf'"),
            (DESCRIBED, 1, "name", "there is no name: that of the folder counts, 'pdf'"),
            (f"name:\n{DESCRIBED}", 2, "name", "there is no name"),
            (f"name: [pdf]\n{DESCRIBED}", 2, "name", "the name has to be a text, not a list: that of the folder"),
            (f"name: ../pdf\n{DESCRIBED}", 2, "name", "'../pdf' cannot be used as a name: that of the folder"),
            (f"name: {'x' * 300}\n{DESCRIBED}", 2, "name", "cannot be used as a name"),
            (f'name: "a\\nb"\n{DESCRIBED}', 2, "name", r"'a\nb' cannot be used as a name"),
            (f"name: pdf\ndescription: {'x' * 1025}\n", 3, "description", "has 1025 characters: at most 1024"),
            (f"name: pdf\n{DESCRIBED}license: [MIT]\n", 4, "license", "'license' has to be a text, not a list"),
            (f"name: pdf\n{DESCRIBED}compatibility: {'x' * 501}\n", 4, "compatibility", "has 501 characters"),
            (f"name: pdf\n{DESCRIBED}compatibility: {{a: b}}\n", 4, "compatibility", "a text, not a mapping"),
            (f"name: pdf\n{DESCRIBED}metadata: [a]\n", 4, "metadata", "a mapping, not a list: it is left out"),
            (f"name: pdf\n{DESCRIBED}metadata: []\n", 4, "metadata", "a mapping, not a list: it is left out"),
            (f"name: pdf\n{DESCRIBED}metadata:\n  a: [b]\n", 5, "metadata.a", "a text, not a list: it counts as JSON"),
            (f"name: pdf\n{DESCRIBED}allowed-tools: [Read]\n", 4, "allowed-tools", "with spaces between the tools"),
            (f"name: pdf\n{DESCRIBED}allowed-tools: {{a: b}}\n", 4, "allowed-tools", "a text, not a mapping"),
        ],
    )
    def test_warnings(self, skills: Any, fields: str, line: int, field: str, problem: str) -> None:
        """A skill that breaks a rule is loaded with a warning that names file and line."""
        file = skills.write("pdf", fields)
        loaded = load(skills.root)
        assert len(loaded.skills) == 1
        flaw = loaded.flaws[0]
        assert problem in flaw.problem
        assert (flaw.where, flaw.line, flaw.field, flaw.fatal) == (str(file), line, field, False)

    def test_what_is_dropped(self, skills: Any) -> None:
        """Fields of a wrong kind are left out; the others are not, and metadata is text whatever it was."""
        skills.write(
            "pdf",
            "name: [x]\ndescription: x\nlicense: {a: b}\ncompatibility: [a]\nmetadata: {tags: [ä, b], n: 1}\n"
            "allowed-tools: [Read, 'Bash(git add:*)', [x], '']\n",
        )
        (skill,) = load(skills.root).skills
        assert skill == Skill(
            "pdf",
            "x",
            skill.location,
            metadata={"tags": '["ä", "b"]', "n": "1"},
            allowed_tools=("Read", "Bash(git add:*)"),
        )

    def test_spaces_around(self, skills: Any) -> None:
        """Spaces around a text are no part of it, and nothing but spaces is no text."""
        skills.write("pdf", "name: ' pdf '\ndescription: ' x '\nlicense: ' '\nallowed-tools: [' Read ', ' ']\n")
        skills.write("zip", "name: ' '\ndescription: x\n")
        skills.write("git", "name: git\ndescription: ' '\n")
        loaded = load(skills.root)
        pdf, packed = loaded.skills
        assert pdf == Skill("pdf", "x", pdf.location, allowed_tools=("Read",))
        assert packed.name == "zip"
        problems = [flaw.problem for flaw in loaded.flaws if flaw.fatal or flaw.where == packed.location]
        assert problems == [
            "there is no description: say what the skill does, and when it is of use",
            "there is no name: that of the folder counts, 'zip'",
        ]

    def test_description_of_another_kind(self, skills: Any) -> None:
        """A description that is no text leaves the skill out."""
        skills.write("pdf", "name: pdf\ndescription: [x]\n")
        loaded = load(skills.root)
        assert loaded.skills == ()
        assert [(flaw.line, flaw.field, flaw.fatal) for flaw in loaded.flaws] == [(3, "description", True)]

    @pytest.mark.parametrize(
        ("written", "tools"),
        [
            ("Read", ["Read"]),
            ("Read,  Write, Bash(git diff, git log)", ["Read", "Write", "Bash(git diff, git log)"]),
            ("Bash(git add:*) Bash(npm run test)", ["Bash(git add:*)", "Bash(npm run test)"]),
            ("Bash(git add Read", ["Bash(git", "add", "Read"]),
            ("'  '", []),
        ],
    )
    def test_tools(self, skills: Any, written: str, tools: list[str]) -> None:
        """Tools are separated by spaces, but not in parentheses, and commas between them are no matter."""
        skills.write("pdf", f"name: pdf\n{DESCRIBED}allowed-tools: {written}\n")
        assert load(skills.root).skills[0].allowed_tools == tuple(tools)

    def test_folder_without_a_usable_name(self, skills: Any) -> None:
        """Without any name that can be used, a skill is left out."""
        file = skills.write("a\nb", DESCRIBED)
        skills.write("pdf")
        loaded = load(skills.root)
        assert [skill.name for skill in loaded.skills] == ["pdf"]
        assert [(flaw.where, flaw.line, flaw.field, flaw.fatal) for flaw in loaded.flaws] == [
            (str(file), 1, "name", True)
        ]

    def test_lower_case_file(self, skills: Any) -> None:
        """A file skill.md is read where there is no SKILL.md."""
        skills.write_bytes("pdf", f"---\nname: pdf\n{DESCRIBED}---\n".encode(), "skill.md")
        (skill,) = load(skills.root).skills
        assert skill.location.endswith("/pdf/skill.md")
        assert body(skill) == ""


class TestPrecedence:
    """Which one of a name counts."""

    def test_names_that_differ_in_case(self, skills: Any) -> None:
        """The first one counts; the other is listed with the one that it lies behind, and a warning tells."""
        skills.write("PDF")
        skills.write("pdf")
        loaded = load(skills.root)
        assert [skill.name for skill in loaded.skills] == ["PDF"]
        assert [(each.skill.name, each.by.name) for each in loaded.shadowed] == [("pdf", "PDF")]
        warning = loaded.flaws[-1]
        assert "'pdf' does not count: only its case is not that of 'PDF'" in warning.problem
        assert (warning.where, warning.fatal) == (loaded.shadowed[0].skill.location, False)

    def test_names_that_differ_in_unicode_form(self, skills: Any) -> None:
        """Names count in form NFKC, so that two forms are one name; the one in another form is told of."""
        composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
        for folder, name in [("a", composed), ("b", decomposed)]:
            skills.write(folder, f"name: {name}\n{DESCRIBED}")
        loaded = load(skills.root)
        assert [skill.name for skill in loaded.skills] == [composed]
        assert [each.skill.location for each in loaded.shadowed] == [str(skills.root / "b" / "SKILL.md")]
        (form,) = (flaw for flaw in loaded.flaws if "NFKC" in flaw.problem)
        assert (form.where, form.line, form.fatal) == (str(skills.root / "b" / "SKILL.md"), 2, False)
        assert find(index(loaded.skills), decomposed) is loaded.skills[0]

    def test_same_name(self, skills: Any) -> None:
        """The same name twice is no flaw of the second one: it does not count."""
        skills.write("a", f"name: pdf\n{DESCRIBED}")
        skills.write("b", f"name: pdf\n{DESCRIBED}")
        loaded = load(skills.root)
        assert [each.by for each in loaded.shadowed] == list(loaded.skills)
        assert [flaw.field for flaw in loaded.flaws] == ["name", "name"]  # neither is called as its folder


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
