"""What `validate` says, compared with the validator that the authors of the format publish: `skills-ref` on PyPI."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest
import skills_ref  # type: ignore[import-untyped]
from hypothesis import example, given, settings, strategies as st
from observatory_skills import validate

VALID = "---\nname: pdf\ndescription: What it does.\n---\n# PDF\n"


@attrs.frozen
class Difference:
    """A reason for which one of both refuses a skill, and the other does not."""

    ours: bool
    """Whether it is we who refuse it."""
    problem: str
    """What the one that refuses it says: a regular expression."""
    file: str
    """What its SKILL.md has in it: a regular expression."""
    example: str
    """A SKILL.md in a folder `pdf`."""

    def explains(self, content: str, problem: str, *, ours: bool) -> bool:
        """Tell whether this is why one of both has that problem with a SKILL.md."""
        text = content.replace("\r\n", "\n").replace("\r", "\n")
        found = re.search(self.problem, problem) and re.search(self.file, text, re.MULTILINE)
        return ours is self.ours and found is not None


_DASHES = r"^(?!---[ \t]*$).*---"

DIFFERENCES = {
    # We refuse, and skills-ref does not.
    "YAML's null is no text": Difference(
        True,
        r"^there is no (name|description)",
        r"^(name|description)\s*: *(~|null)\s*$",
        "---\nname: pdf\ndescription: null\n---\n",
    ),
    "frontmatter ends with a line of its own, which for them is wherever three dashes are": Difference(
        True,
        r"^the frontmatter does not end|^the YAML is broken|one YAML document|there is no frontmatter",
        _DASHES,
        "---\nname: pdf\ndescription: x\n  ---\n",
    ),
    "metadata is a mapping, and everything else is text": Difference(
        True,
        r"has to be (a mapping|a text)",
        r"^(metadata|license|allowed-tools)\s*:",
        "---\nname: pdf\ndescription: x\nallowed-tools:\n- Read\n---\n",
    ),
    "what ends a line in YAML 1.1 only, and a byte order mark inside, is refused": Difference(
        True,
        r"^the character U\+(0085|2028|2029|FEFF) is not allowed",
        "[\x85\u2028\u2029\ufeff]",
        "---\nname: pdf\ndescription: x\u2028y\n---\n",
    ),
    "half a character is none": Difference(
        True, r"^the YAML is broken: found", r'"\\ud800"', '---\nname: pdf\ndescription: "\\ud800"\n---\n'
    ),
    "a merge key is refused, whatever it merges": Difference(
        True, r"^the merge key << is refused", "<<", "---\nname: pdf\ndescription: x\n<<:\n  license: y\n---\n"
    ),
    # skills-ref refuses, and we do not.
    "a byte order mark is no matter": Difference(
        False, r"must start with YAML frontmatter", "\\A\ufeff", f"\ufeff{VALID}"
    ),
    "tabs may stand between words, as YAML has it": Difference(
        False, r"found character '\\t' that cannot start any token", "\t", "---\nname: pdf\ndescription: a\tb\n---\n"
    ),
    "lists and mappings may be written on one line": Difference(
        False,
        r"(?i)disallowed JSONesque flow mapping",
        r"[\[{]",
        "---\nname: pdf\ndescription: x\nmetadata: {a: b}\n---\n",
    ),
    "an exclamation mark alone is no tag": Difference(
        False, r"disallowed tag tokens", r": *! ", "---\nname: pdf\ndescription: ! x\n---\n"
    ),
    "three dashes in a value do not end the frontmatter": Difference(
        False,
        r"^Missing required field|^Invalid YAML|must match skill name|must be a non-empty string",
        _DASHES,
        "---\ndescription: a --- b\nname: pdf\n---\n",
    ),
    "a text << is a text": Difference(
        False, r"^Field 'description' must be a non-empty string", r": *<<", "---\nname: pdf\ndescription: <<\n---\n"
    ),
}

_NAMES = st.one_of(
    st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,4}){0,2}", fullmatch=True),
    st.text("aZ9-_é ßﬁİ一", min_size=1, max_size=6),
    st.sampled_from(["a" * 64, "a" * 65, "null", "on", "1.10", "--", "~"]),
)
_LONG = ["x" * 500, "x" * 501, "x" * 1024, "x" * 1025, "|\n  " + "x" * 1024]
_SHORT = [
    "",
    "~",
    "null",
    "x",
    "a: b",
    "a --- b",
    "---",
    "'q'",
    '"q"',
    '"a\\nb"',
    '"\\0"',
    '"\\ud800"',
    "[a, b]",
    "{a: b}",
    "- x",
    "&x y",
    "*x",
    "!!str y",
    "!x y",
    "! y",
    "# c",
    "@x",
    "`x",
    "x # c",
    "%x",
    "? x",
    "a\tb",
    "\tx",
    "x\u2028y",
    "x\u0085y",
    "x\u0007",
    "x\ufeff",
    "'open",
    "[open",
    "<<",
    "a\n  b",
    "a\nb",
    ">\n  folded\n  text",
    "|\n  block\n  text",
    "\n  - a\n  - b",
    "\n  a: b\n  c: d",
    "\n  a:\n    b: c\n  d: e",
    "\n  a: 1\n  b:\n  - x",
]
_VALUES = _NAMES | st.sampled_from(_SHORT + _LONG)
_FIELDS = st.tuples(
    st.sampled_from(
        ["name", "description", "license", "compatibility", "metadata", "allowed-tools"] * 3
        + ["Name", "version", "<<", "'name'", "? name", "- a", "a b", ""]
    ),
    st.sampled_from([": ", ":", ":  ", " : "]),
    _VALUES,
).map("".join)
_OPENINGS = st.sampled_from(["--- \n", "---x\n", "", "\n---\n", "\ufeff---\n", "--- name: x\n", "----\n"])
_CLOSINGS = st.sampled_from(["--- \n", "---", "", " ---\n", "----\n", "...\n---\n", "...\n", "--- x\n"])


@st.composite
def _skills(draw: st.DrawFn) -> tuple[str, str]:
    """Draw the name of a folder, and the SKILL.md in it: a valid skill, with up to two changes."""
    folder = draw(_NAMES)
    parts = {"name": f"name: {folder}", "description": "description: What it does."}
    opening = closing = "---\n"
    newline = "\n"
    for change in draw(st.lists(st.sampled_from(["field", "field", "replace", "remove", *"<>n"]), max_size=2)):
        if change == "field":
            parts[f"more {len(parts)}"] = draw(_FIELDS)
        elif change == "replace":
            which = draw(st.sampled_from(["name", "description"]))
            parts[which] = f"{which}: {draw(_VALUES)}"
        elif change == "remove":
            parts[draw(st.sampled_from(["name", "description"]))] = "# nothing"
        elif change == "<":
            opening = draw(_OPENINGS)
        elif change == ">":
            closing = draw(_CLOSINGS)
        else:
            newline = draw(st.sampled_from(["\r\n", "\r"]))
    fields = draw(st.permutations(list(parts.values())))
    body = draw(st.sampled_from(["", "# Body\n", "text --- text\n---\nmore"]))
    return folder, "\n".join([opening.removesuffix("\n"), *fields, closing + body]).replace("\n", newline)


def _verdicts(root: Path, folder: str, content: str) -> tuple[list[str], list[str]]:
    """Return for what reasons we, and they, say that a skill is invalid."""
    file = root / folder / "SKILL.md"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content.encode())
    try:
        theirs = skills_ref.validate(file.parent)
    except Exception as error:  # noqa: BLE001 - some of what it refuses escapes it as errors of its YAML library
        theirs = [str(error)]
    return [flaw.problem for flaw in validate(file.parent) if flaw.fatal], theirs


@pytest.mark.parametrize("why", DIFFERENCES)
def test_differences(tmp_path: Path, why: str) -> None:
    """Every difference that is listed is there: one refuses the example, and the other does not."""
    difference = DIFFERENCES[why]
    ours, theirs = _verdicts(tmp_path, "pdf", difference.example)
    assert (bool(ours), bool(theirs)) == (difference.ours, not difference.ours)
    told = ours or theirs
    assert all(difference.explains(difference.example, problem, ours=difference.ours) for problem in told)


@given(_skills())
@example(("pdf", VALID))
@settings(max_examples=400, deadline=None)
def test_same_verdict(tmp_path_factory: pytest.TempPathFactory, skill: tuple[str, str]) -> None:
    """Of whatever skill, both say the same, or a difference that is listed explains it."""
    folder, content = skill
    ours, theirs = _verdicts(tmp_path_factory.mktemp("skills"), folder, content)
    if bool(ours) != bool(theirs):
        for problem in ours or theirs:
            why = [each for each in DIFFERENCES.values() if each.explains(content, problem, ours=bool(ours))]
            assert why, f"unexplained: {problem}"
