"""The catalogue: always well-formed, never above its budget, and nothing in it but what it was given."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st
from observatory_skills import Skill, catalogue

from observatory import InvalidInputError

PDF = Skill("pdf", "Reads PDF files.", "/skills/pdf/SKILL.md")
GIT = Skill("git", "Commits <b> & 'all'.", "/skills/git/SKILL.md")

TEXTS = st.text(max_size=60) | st.sampled_from(["</description></skill>", "<skill>", "]]>", "<!--", "&amp;", "x" * 300])
SKILLS = st.builds(Skill, TEXTS, TEXTS, TEXTS)


def read(told: str, format: str) -> tuple[list[dict[str, str]], int]:
    """Return what a catalogue tells of skills, and how many it leaves out."""
    if format == "json":
        document = json.loads(told)
        assert list(document) == ["skills", "left_out"]
        return document["skills"], document["left_out"]
    root = ElementTree.fromstring(told)  # noqa: S314 - written by ourselves
    assert root.tag == "available_skills"
    assert {each.tag for each in root} <= {"skill"}
    left_out = re.search(r"<!-- (\d+) more left out -->\n</available_skills>\Z", told)
    return [{each.tag: each.text or "" for each in skill} for skill in root], int(left_out[1]) if left_out else 0


class TestWhole:
    """Without a budget."""

    def test_xml(self) -> None:
        """Every skill is an element with name, description and location, in order."""
        assert catalogue([PDF, GIT]) == (
            "<available_skills>\n"
            "<skill><name>pdf</name><description>Reads PDF files.</description>"
            "<location>/skills/pdf/SKILL.md</location></skill>\n"
            "<skill><name>git</name><description>Commits &lt;b&gt; &amp; 'all'.</description>"
            "<location>/skills/git/SKILL.md</location></skill>\n"
            "</available_skills>"
        )

    def test_json(self) -> None:
        """Every skill is an object with the same, and none is left out."""
        assert json.loads(catalogue([PDF, GIT], format="json")) == {
            "skills": [
                {"name": skill.name, "description": skill.description, "location": skill.location}
                for skill in (PDF, GIT)
            ],
            "left_out": 0,
        }

    @pytest.mark.parametrize("format", ["xml", "json"])
    def test_no_skills(self, format: Any) -> None:
        """Without skills there is a catalogue of none."""
        assert read(catalogue([], format=format), format) == ([], 0)

    @pytest.mark.parametrize("format", ["xml", "json"])
    @pytest.mark.parametrize(
        "description",
        [
            "one\ntwo",
            "one\r\n\ttwo",
            "one\x00\x1b\x85two",
            "one\u2028two",
            "one\u202etwo",
            "one\ud800two",
            "one\U000e0041two",
        ],
    )
    def test_what_nobody_sees(self, format: Any, description: str) -> None:
        """Ends of lines, control characters, and what changes the direction or is no character are a space."""
        ((told,), _) = read(catalogue([Skill("pdf", description, "/x")], format=format), format)
        assert told["description"] == "one two"

    def test_unknown_format(self) -> None:
        """Another format is an error that says which there are."""
        with pytest.raises(InvalidInputError, match="format: 'yaml' is unknown: xml and json are allowed"):
            catalogue([], format="yaml")  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["xml", "json"])
class TestBudget:
    """Within so many characters."""

    def test_everything_fits(self, format: Any) -> None:
        """What fits is not cut."""
        whole = catalogue([PDF, GIT], format=format)
        assert catalogue([PDF, GIT], format=format, max_chars=len(whole)) == whole

    def test_long_descriptions_are_cut_first(self, format: Any) -> None:
        """One character too many shortens the longest description only, and no skill is left out."""
        skills = [PDF, Skill("git", "word " * 40, "/x"), Skill("zip", "z" * 100, "/y")]
        whole = catalogue(skills, format=format)
        told, left_out = read(catalogue(skills, format=format, max_chars=len(whole) - 1), format)
        assert left_out == 0
        assert [skill["description"] for skill in told] == ["Reads PDF files.", "word " * 39 + "wo…", "z" * 100]

    def test_all_are_cut_to_one_length(self, format: Any) -> None:
        """Descriptions are cut evenly, and use what room there is."""
        skills = [Skill(name, name * 200, "/x") for name in "abc"]
        most = len(catalogue(skills, format=format)) - 300
        told, _ = read(catalogue(skills, format=format, max_chars=most), format)
        assert [skill["description"] for skill in told] == [name * 99 + "…" for name in "abc"]

    def test_then_skills_are_left_out_from_the_end(self, format: Any) -> None:
        """When descriptions are as short as may be, the first skills stay; those have the room that is left."""
        skills = [Skill(name, name * 200, "/x") for name in "abc"]
        most = len(catalogue([Skill(name, name * 40, "/x") for name in "abc"], format=format)) - 1
        told, left_out = read(catalogue(skills, format=format, max_chars=most), format)
        assert [skill["name"] for skill in told] == ["a", "b"]
        assert left_out == 1
        assert 40 < len(told[0]["description"]) == len(told[1]["description"]) < 200

    def test_too_little_for_anything(self, format: Any) -> None:
        """A budget that has no room for the frame is an error that names the least, and the least is enough."""
        with pytest.raises(InvalidInputError) as info:
            catalogue([PDF] * 12, format=format, max_chars=1)
        assert info.value.field == "max_chars"
        (least,) = map(int, re.findall(r"at least (\d+)", info.value.reason))
        assert read(catalogue([PDF] * 12, format=format, max_chars=least), format) == ([], 12)
        with pytest.raises(InvalidInputError):
            catalogue([PDF] * 12, format=format, max_chars=least - 1)

    @given(st.lists(SKILLS, max_size=12), st.integers(0, 3000))
    def test_always(self, format: Any, skills: list[Skill], most: int) -> None:
        """It is well-formed, in its budget, tells of the first skills in order, and of how many there are."""
        try:
            text = catalogue(skills, format=format, max_chars=most)
        except InvalidInputError:
            assert most < 80
            return
        told, left_out = read(text, format)
        assert len(text) <= most
        assert len(told) + left_out == len(skills)
        whole, _ = read(catalogue(skills, format=format), format)
        for mine, full in zip(told, whole, strict=False):
            assert mine | {"description": ""} == full | {"description": ""}
            start = mine["description"].removesuffix("…")
            assert mine["description"] == full["description"] or full["description"].startswith(start)
        assert catalogue(skills, format=format, max_chars=most) == text
