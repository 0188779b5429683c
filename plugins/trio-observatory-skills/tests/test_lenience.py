"""Loading leniently: what is wrong with a skill, which one of a name counts, and that others are unaffected."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from observatory_skills import (
    Skill,
    body,
    find,
    index,
    load,
)

DESCRIBED = "description: What it does.\n"


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
        assert warning.line == 2

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
