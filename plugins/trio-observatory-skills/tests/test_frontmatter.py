"""Frontmatter: what it means, whichever parser reads it; and what is refused, with its line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st
from observatory_skills import Flaw, Skill, find, frontmatter, index, load, slow_parser

PARSERS = {"libyaml": yaml.CSafeLoader, "python": slow_parser.Parser}
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"))
KEYS = TEXTS.filter(lambda key: 0 < len(key) < 100 and key != "<<")


@pytest.fixture(params=PARSERS, autouse=True)
def parser(request: pytest.FixtureRequest) -> Iterator[str]:
    """Read with each of both parsers, and return which it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frontmatter, "Parser", PARSERS[request.param])
        yield request.param


def the_skill(skills: Any, fields: str) -> Skill:
    """Return the skill of these fields, of which nothing is wrong."""
    skills.write("pdf", fields)
    loaded = load(skills.root)
    assert loaded.flaws == ()
    return loaded.skills[0]


def the_flaw(skills: Any, content: bytes) -> Flaw:
    """Return what is wrong with a skill, and see that the other one is not affected."""
    skills.write("good")
    bad = skills.write_bytes("bad", content)
    loaded = load(skills.root)
    assert [skill.name for skill in loaded.skills] == ["good"]
    assert {flaw.where for flaw in loaded.flaws} == {str(bad)}
    (flaw,) = (flaw for flaw in loaded.flaws if flaw.fatal)
    return flaw


class TestMeaning:
    """What values are."""

    @pytest.mark.parametrize(
        ("written", "text"),
        [
            ("on", "on"),
            ("no", "no"),
            ("1.10", "1.10"),
            ("0x10", "0x10"),
            ("2026-01-01", "2026-01-01"),
            ("1_000", "1_000"),
            ("=", "="),
            ("'null'", "null"),
            ("null", ""),
            ("~", ""),
            ("", ""),
            ("# nothing", ""),
            ('"a\\tb"', "a\tb"),
            ("|\n    two\n    lines\n", "two\nlines\n"),
            (">-\n    one\n    line\n", "one line"),
        ],
    )
    def test_values_are_their_text(self, skills: Any, written: str, text: str) -> None:
        """What YAML 1.1 would take for a truth, a number or a date is what is written there."""
        skill = the_skill(skills, f"name: pdf\ndescription: x\nmetadata:\n  it: {written}\n")
        assert skill.metadata == {"it": text}

    @given(st.dictionaries(KEYS, TEXTS, max_size=4), st.booleans())
    @settings(max_examples=60)
    def test_what_yaml_writes_is_read(
        self, tmp_path_factory: pytest.TempPathFactory, told: dict[str, str], flow: bool
    ) -> None:
        """Every text is the same after it was written as YAML."""
        file = tmp_path_factory.mktemp("skills") / "SKILL.md"
        fields = {"description": "x", "metadata": told}
        written = yaml.safe_dump(fields, allow_unicode=True, default_flow_style=flow, line_break="\n")
        file.write_text(f"---\n{written}---\n", encoding="utf-8")
        assert load(file).skills[0].metadata == told

    @given(st.binary(max_size=60) | TEXTS.map(str.encode), st.sampled_from([b"", b"description: x\n", b"metadata:\n "]))
    @settings(max_examples=150)
    def test_whatever_it_is(self, tmp_path_factory: pytest.TempPathFactory, junk: bytes, before: bytes) -> None:
        """Any bytes are a skill, or a flaw with a line that the file has."""
        file = tmp_path_factory.mktemp("skills") / "SKILL.md"
        content = b"---\n" + before + junk + b"\n---\n"
        file.write_bytes(content)
        for flaw in load(file).flaws:
            assert flaw.line is not None
            assert 1 <= flaw.line <= len(content.splitlines())
            assert flaw.problem.isprintable()

    @pytest.mark.parametrize("end", ["\r\n", "\r"])
    def test_other_ends_of_lines(self, skills: Any, end: str) -> None:
        """Lines may end as they do elsewhere; texts of several lines are the same."""
        content = "---\nname: pdf\ndescription: |\n  two\n  lines\nlicense: [x]\n---\n".replace("\n", end)
        skills.write_bytes("pdf", content.encode())
        loaded = load(skills.root)
        assert loaded.skills[0].description == "two\nlines"
        assert [flaw.line for flaw in loaded.flaws] == [6]

    def test_byte_order_mark(self, skills: Any) -> None:
        """A byte order mark at the very beginning is no matter."""
        skills.write_bytes("pdf", b"\xef\xbb\xbf---\nname: pdf\ndescription: x\n---\n")
        assert load(skills.root).skills[0].name == "pdf"

    def test_dashes_in_a_value(self, skills: Any) -> None:
        """Frontmatter ends with a line of three dashes, not where three dashes are."""
        assert the_skill(skills, "name: pdf\ndescription: a --- b\nlicense: ----\n").license == "----"

    def test_spaces_after_the_dashes(self, skills: Any) -> None:
        """Spaces after the dashes are no matter."""
        skills.write_bytes("pdf", b"--- \nname: pdf\ndescription: x\n--- \t\n")
        assert load(skills.root).skills[0].name == "pdf"

    def test_largest(self, skills: Any) -> None:
        """Frontmatter of 64 KiB is read, and the body has no limit of its own."""
        fields = "name: pdf\ndescription: x\nlicense: "
        fields += "y" * (frontmatter.MAX_FRONTMATTER - len(f"---\n{fields}\n---\n")) + "\n"
        skills.write("pdf", fields, body="z" * 10_000_000)
        loaded = load(skills.root)
        assert loaded.flaws == ()
        assert len(loaded.skills[0].license or "") > 65_000


class TestRefused:
    """What leaves a skill out."""

    @pytest.mark.parametrize(
        ("content", "line", "field", "problem"),
        [
            (b"", 1, None, "there is no frontmatter: the first line has to be `---`"),
            (b"# PDF\n", 1, None, "there is no frontmatter"),
            (b"---- \nname: x\n---\n", 1, None, "there is no frontmatter"),
            (b"\n---\nname: x\n---\n", 1, None, "nothing may stand before it"),
            (b"---\nname: x\n", 1, None, "a second line `---` has to follow"),
            (b"---\nname: x\n ---\n", 1, None, "a second line `---` has to follow"),
            (b"---\n---\n", 1, "description", "there is no description"),
            (b"---\nname: x\ndescription: ~\n---\n", 3, "description", "there is no description"),
            (b"---\ndescription:\n- x\n---\n", 2, "description", "the description has to be a text, not a list"),
            (b"---\n- x\n---\n", 2, None, "the frontmatter has to be fields"),
            (b"---\n\njust text\n---\n", 3, None, "the frontmatter has to be fields"),
            (b"---\nname: x\ndescription: a: b\n---\n", 3, None, "put a value that holds a colon in quotes"),
            (b"---\nname: x\ndescription: 'a\nb: c\n---\n", 5, None, "that begins in line 3"),
            (b"---\nname: x\n\tdescription: y\n---\n", 3, None, "the YAML is broken"),
            (b"---\nname: x\nname: y\n---\n", 3, "name", "'name' stands in line 2 already"),
            (b"---\nmetadata:\n  a: 1\n  b: 2\n  'a': 3\n---\n", 5, "metadata.a", "'a' stands in line 3 already"),
            (b"---\nx: !!python/object/apply:os.system [id]\n---\n", 2, "x", "the tag 'tag:yaml.org,2002:python/obj"),
            (b"---\nx:\n- !!binary eA==\n---\n", 3, "x[0]", "the tag 'tag:yaml.org,2002:binary' is refused"),
            (b"---\n!a x: y\n---\n", 2, "x", "the tag '!a' is refused"),
            (b"---\nx: !!map\n  a: b\n---\n", 2, "x", "the tag 'tag:yaml.org,2002:map' is refused"),
            (b"---\nx: &a y\n---\n", 2, "x", "the anchor &a is refused"),
            (b"---\nx: &a [y]\n---\n", 2, "x", "the anchor &a is refused"),
            (b"---\nx: *a\n---\n", 2, "x", "the alias *a is refused"),
            (b"---\na: 1\n<<: {b: c}\n---\n", 3, None, "the merge key << is refused"),
            (b"---\n? [a]\n: b\n---\n", 2, None, "a key has to be a text"),
            (b"---\n*a : b\n---\n", 2, None, "a key has to be a text"),
            (b"---\nname: x\n--- y\n---\n", 3, None, "one YAML document"),
            (b"---\nname: x\ndescription: \xff\n---\n", 3, None, "byte 0xff, number 25 of the file, is not UTF-8"),
            (b"---\nname: x\r\nlicense: y\rdescription: \xc3\n---\n", 4, None, "byte 0xc3"),
            (b"---\nname: x\ndescription: a\x00b\n---\n", 3, None, "the character U+0000 is not allowed"),
            (b"---\nname: x\ndescription: a\xe2\x80\xa8name: y\n---\n", 3, None, "the character U+2028"),
            (b"---\n\xef\xbb\xbfname: x\n---\n", 2, None, "the character U+FEFF"),
            (b'---\ndescription: "\\ud800"\n---\n', 2, None, "the YAML is broken: found"),
            (b"---\nx: " + b"y" * 70_000 + b"\n---\n", 1, None, "does not end within 65536 bytes"),
        ],
    )
    def test_bad(self, skills: Any, content: bytes, line: int, field: str | None, problem: str) -> None:
        """Each is told with its file and line, and no other skill is affected."""
        flaw = the_flaw(skills, content)
        assert problem in flaw.problem
        assert (flaw.line, flaw.field) == (line, field)

    def test_aliases_that_explode(self, skills: Any) -> None:
        """A document that would grow to a million times its size is refused at its first anchor."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)]
        flaw = the_flaw(skills, "\n".join(["---", *lines, "---", ""]).encode())
        assert (flaw.line, flaw.field) == (2, "a0")

    @pytest.mark.parametrize("levels", ["a: " + "[" * 16, "{a: " * 17, "a:\n " + "- " * 16])
    def test_too_deep(self, skills: Any, levels: str) -> None:
        """More than 16 lists and mappings in each other are refused, at the field that they are in."""
        flaw = the_flaw(skills, f"---\n{levels}\n---\n".encode())
        assert (flaw.field, flaw.problem) == ("a", "more than 16 lists and mappings in each other")

    def test_as_deep_as_may_be(self, skills: Any) -> None:
        """Sixteen lists in each other are read."""
        told = json.dumps({"a": json.loads("[" * 14 + "]" * 14)})
        skills.write("pdf", f"name: pdf\ndescription: x\nmetadata: {told}\n")
        assert load(skills.root).skills[0].metadata == {"a": "[" * 14 + "]" * 14}


_DEEP = """
import sys
import yaml
from observatory_skills import frontmatter, load, slow_parser
frontmatter.Parser = {"libyaml": yaml.CSafeLoader, "python": slow_parser.Parser}[sys.argv[2]]
print(sum(flaw.fatal for flaw in load(sys.argv[1]).flaws))
"""


def test_depth_crashes_nothing(skills: Any, parser: str) -> None:
    """Tens of thousands of levels, as many as fit, are a flaw like any other, in both parsers."""
    starts = ["a: ", "", "", "", "a: ", "a: "]
    for number, level in enumerate(["[", "{a: ", "- ", "? ", "[{", "!!seq ["]):
        content = f"---\n{starts[number]}{level * (60_000 // len(level))}\n---\n"
        skills.write_bytes(f"bad-{number}", content.encode())
    command = [sys.executable, "-c", _DEEP, str(skills.root), parser]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert outcome.stdout == "6\n"


_WITHOUT = """
import sys
sys.modules["yaml._yaml"] = None
import yaml
from observatory_skills import load
assert not yaml.__with_libyaml__
print(load(sys.argv[1]))
"""


def test_without_libyaml(skills: Any) -> None:
    """A PyYAML without libyaml finds the same skills and the same flaws."""
    skills.write("pdf", "name: pdf\ndescription: on\nmetadata: {version: 1.10}\n")
    skills.write("bad", "name: bad\nname: bad\n")
    command = [sys.executable, "-c", _WITHOUT, str(skills.root)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    loaded = load(skills.root)
    assert outcome.stdout == f"{loaded}\n"
    skill = find(index(loaded.skills), "pdf")
    assert skill is not None
    assert skill.metadata == {"version": "1.10"}
