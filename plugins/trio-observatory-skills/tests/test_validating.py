"""Validating: every rule of the format, with the line that breaks it, and advice beyond."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from observatory_skills import Flaw, validate

from observatory import SkillSourceError

VALID = "name: pdf\ndescription: What it does.\n"


def found(flaws: tuple[Flaw, ...], *, fatal: bool) -> list[tuple[int | None, str | None]]:
    """Return the lines and fields of flaws, of which all are fatal or none is."""
    assert {flaw.fatal for flaw in flaws} <= {fatal}
    return [(flaw.line, flaw.field) for flaw in flaws]


class TestRules:
    """What makes a skill invalid."""

    @pytest.mark.parametrize("place", ["", "SKILL.md"])
    def test_valid(self, skills: Any, place: str) -> None:
        """A skill with every field of the format, each as it should be, has no flaw, by its folder or its file."""
        fields = f"{VALID}license: MIT\ncompatibility: x\nmetadata:\n  a: b\nallowed-tools: Read Bash(a, b)\n"
        skills.write("pdf", fields)
        assert validate(skills.root / "pdf" / place) == ()

    @pytest.mark.parametrize("name", ["a" * 64, "a1-b2", "1", "größe", "数据"])
    def test_valid_names(self, skills: Any, name: str) -> None:
        """Letters and digits of any script, and single hyphens between them."""
        assert validate(skills.write(name)) == ()

    @pytest.mark.parametrize("name", ["a" * 65, "PDF", "-a", "a-", "a--b", "a_b", "a b", "a.b"])
    def test_invalid_names(self, skills: Any, name: str) -> None:
        """Anything else is no name."""
        flaws = validate(skills.write(name))
        assert found(flaws, fatal=True) == [(2, "name")]
        assert "is no name for a skill: 1 to 64 lowercase letters and digits, and single hyphens" in flaws[0].problem

    @pytest.mark.parametrize(
        ("fields", "line", "field"),
        [
            ("description: x\n", 1, "name"),
            ("name: other\ndescription: x\n", 2, "name"),
            ("name: pdf\n", 1, "description"),
            ("name: pdf\ndescription: ''\n", 3, "description"),
            (f"name: pdf\ndescription: {'x' * 1025}\n", 3, "description"),
            (f"{VALID}compatibility: {'x' * 501}\n", 4, "compatibility"),
            (f"{VALID}license: [MIT]\n", 4, "license"),
            (f"{VALID}metadata: text\n", 4, "metadata"),
            (f"{VALID}metadata:\n  a: b\n  c: [d]\n", 6, "metadata.c"),
            (f"{VALID}allowed-tools:\n- Read\n", 4, "allowed-tools"),
            (f"{VALID}licence: MIT\n", 4, "licence"),
            (f"{VALID}name: pdf\n", 4, "name"),
        ],
    )
    def test_invalid(self, skills: Any, fields: str, line: int, field: str) -> None:
        """Whatever breaks a rule is told with its line and field."""
        file = skills.write("pdf", fields)
        flaws = validate(file)
        assert found(flaws, fatal=True) == [(line, field)]
        assert flaws[0].where == str(file)

    def test_longest(self, skills: Any) -> None:
        """Texts may be as long as the format says."""
        skills.write("pdf", f"name: pdf\ndescription: {'x' * 1024}\ncompatibility: {'x' * 500}\n")
        assert validate(skills.root / "pdf") == ()

    def test_unknown_field(self, skills: Any) -> None:
        """A field that the format does not have is told with the nearest that it has."""
        (flaw,) = validate(skills.write("pdf", f"{VALID}licence: MIT\n"))
        assert flaw.problem == "there is no field 'licence'; did you mean 'license'?"

    def test_all_at_once(self, skills: Any) -> None:
        """All flaws are told, in the order of lines."""
        flaws = validate(skills.write("pdf", "metadata: x\nfoo: bar\nname: PDF\n"))
        assert found(flaws, fatal=True) == [(1, "description"), (2, "metadata"), (3, "foo"), (4, "name"), (4, "name")]

    def test_body_that_is_not_utf_8(self, skills: Any) -> None:
        """The body has to be text, too."""
        flaws = validate(skills.write_bytes("pdf", f"---\n{VALID}---\n\n".encode() + b"a\xff\n"))
        assert found(flaws, fatal=True) == [(6, None)]
        assert "byte 0xff" in flaws[0].problem

    def test_folder_without_a_skill(self, tmp_path: Path) -> None:
        """A folder without SKILL.md is no skill."""
        flaws = validate(tmp_path)
        assert flaws == (Flaw(str(tmp_path), None, None, "has no SKILL.md: give the folder of one skill"),)

    def test_other_file(self, tmp_path: Path) -> None:
        """Another file is no skill."""
        (tmp_path / "notes.txt").touch()
        (flaw,) = validate(tmp_path / "notes.txt")
        assert "is neither the folder of a skill, nor its SKILL.md, nor its package" in flaw.problem

    def test_nothing_there(self, tmp_path: Path) -> None:
        """A path that leads to nothing is an error."""
        with pytest.raises(SkillSourceError, match="No such file"):
            validate(tmp_path / "missing")

    def test_link(self, skills: Any) -> None:
        """A SKILL.md that is a link is not read."""
        file = skills.write("pdf")
        file.rename(skills.root / "other.md")
        file.symlink_to(skills.root / "other.md")
        (flaw,) = validate(file)
        assert flaw.fatal
        assert "it is a link" in flaw.problem

    @pytest.mark.parametrize(("content", "wrong"), [(f"---\n{VALID}---\n", []), ("", [(1, None)])])
    def test_package(self, tmp_path: Path, content: str, wrong: list[tuple[int, None]]) -> None:
        """A package is valid when the skill in it is."""
        with ZipFile(tmp_path / "any.skill", "w") as archive:
            archive.writestr("pdf/SKILL.md", content)
        assert found(validate(tmp_path / "any.skill"), fatal=True) == wrong

    def test_broken_package(self, tmp_path: Path) -> None:
        """A package that is none is a flaw of the package as a whole."""
        (tmp_path / "pdf.skill").write_text("no zip")
        (flaw,) = validate(tmp_path / "pdf.skill")
        assert (flaw.where, flaw.line, flaw.fatal) == (str(tmp_path / "pdf.skill"), None, True)


class TestAdvice:
    """What leaves a skill valid, and could be better."""

    @pytest.mark.parametrize(
        ("content", "line", "problem"),
        [
            (f"\ufeff---\n{VALID}---\n", 1, "byte order mark"),
            (f"---\r\n{VALID}---\n", 1, "ends in a carriage return"),
            (f"---\n{VALID}---\n\nx\r\n", 6, "ends in a carriage return"),
            (f"---\n{VALID}---\n" + "x\n" * 501, 5, "the body has 501 lines, more than 500"),
            (f"---\n{VALID}---\n" + "x" * 20_004, 5, "the body has about 5001 tokens, more than 5000"),
            (f"---\n{VALID}allowed-tools: Read, Write\n---\n", 4, "'allowed-tools' has commas"),
        ],
    )
    def test_manner(self, skills: Any, content: str, line: int, problem: str) -> None:
        """How a file is written is advice, with its line."""
        flaws = validate(skills.write_bytes("pdf", content.encode()))
        assert found(flaws, fatal=False) == [(line, flaws[0].field)]
        assert problem in flaws[0].problem

    @pytest.mark.parametrize("body", ["x\n" * 500, "x" * 20_000])
    def test_largest_body(self, skills: Any, body: str) -> None:
        """A body may have 500 lines, or about 5,000 tokens."""
        assert validate(skills.write("pdf", body=body)) == ()

    def test_lower_case_file(self, skills: Any) -> None:
        """A file skill.md should be called SKILL.md."""
        (flaw,) = validate(skills.write_bytes("pdf", f"---\n{VALID}---\n".encode(), "skill.md").parent)
        assert (flaw.line, flaw.fatal) == (None, False)
        assert flaw.problem == "the file is called skill.md: call it SKILL.md"

    def test_name_in_another_form(self, skills: Any) -> None:
        """A name in another of Unicode's forms is one that others may not find."""
        flaws = validate(skills.write("cafe\u0301"))
        assert found(flaws, fatal=False) == [(2, "name")]

    def test_ten_megabytes(self, skills: Any) -> None:
        """A large body is advice, however large."""
        flaws = validate(skills.write("pdf", body="[x](y)" + "0123456789\n" * 1_000_000))
        assert found(flaws, fatal=False) == [(5, None)] * 3


class TestLinks:
    """Links in the body."""

    @pytest.mark.parametrize(
        "link",
        [
            "forms.md",
            "./forms.md#fields",
            "scripts/fill.py?raw",
            "scripts",
            "scripts/",
            "a%20b.md",
            "<forms.md>",
            'forms.md "Forms"',
            "SKILL.md",
            "#here",
            "https://example.org/x.md",
            "//example.org/x.md",
            "mailto:someone@example.org",
            "with (parentheses)",
            "",
        ],
    )
    def test_links_that_lead_somewhere(self, skills: Any, link: str) -> None:
        """Links to resources, to folders of them, to places in the text and to elsewhere are no matter."""
        for folder, name in [("pdf", "forms.md"), ("pdf/scripts", "fill.py"), ("pdf", "a b.md")]:
            skills.write_bytes(folder, b"", name)
        assert validate(skills.write("pdf", body=f"See [forms]({link}).\n")) == ()

    @pytest.mark.parametrize(
        ("link", "problem"),
        [
            ("missing.md", "the link 'missing.md' leads to nothing: 'missing.md' is no resource"),
            ("./x/../missing.md#a", "leads to nothing: 'missing.md' is no resource"),
            ("../other/SKILL.md", "the link '../other/SKILL.md' leads out of the skill"),
            ("x/../../other", "leads out of the skill"),
            ("%2e%2e/other", "leads out of the skill"),
            ("/etc/passwd", "leads out of the skill"),
        ],
    )
    def test_links_that_do_not(self, skills: Any, link: str, problem: str) -> None:
        """A link to nothing, or out of the folder, is told with its line."""
        flaws = validate(skills.write("pdf", body=f"# PDF\n\nSee ![a]({link} 'Title') and [b](#x).\n"))
        assert found(flaws, fatal=False) == [(7, None)]
        assert problem in flaws[0].problem

    @pytest.mark.parametrize(("start", "end"), [("```", "```"), ("~~~~", "~~~~~"), ("````md\n```", "````")])
    def test_code(self, skills: Any, start: str, end: str) -> None:
        """What looks like a link in a block of code is none; after it, links are links."""
        flaws = validate(skills.write("pdf", body=f"{start}\n[a](x)\n{end}\n[a](y)\n"))
        assert [flaw.problem for flaw in flaws] == ["the link 'y' leads to nothing: 'y' is no resource"]
