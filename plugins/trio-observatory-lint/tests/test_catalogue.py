"""The catalogue, the rules and the page are the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from observatory_lint import CATALOGUE, Code
from observatory_lint.command import main
from observatory_lint.formats import FORMATS
from observatory_lint.project_rules import PROJECT_RULES
from observatory_lint.rules import LOCAL_RULES
from observatory_lint.settings import Settings, read_settings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/lint.md").read_text(encoding="utf-8")

_ELSEWHERE = {"OBS104", "OBS900", "OBS901", "OBS902"}  # of calls that are looked at, of files, and of comments


def test_every_code_is_that_of_a_rule() -> None:
    """And every rule finds what the catalogue has."""
    found = {rule.code for rule in LOCAL_RULES} | {code for rule in PROJECT_RULES for code in rule.codes}
    assert found | _ELSEWHERE == {entry.code for entry in CATALOGUE}
    assert [entry.code for entry in CATALOGUE] == sorted(found | _ELSEWHERE)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.code)
def test_the_page_has_what_the_catalogue_has(entry: Code) -> None:
    """Number, name, why, both examples, and how to mend it, in this order."""
    section = re.search(rf"^### {entry.code} .*?(?=^##|\Z|^What is left)", PAGE, re.MULTILINE | re.DOTALL)
    assert section
    assert section[0].strip() == (
        f"### {entry.code} {entry.name}\n\n{entry.why}\n\nWrong:\n\n```py\n{entry.wrong}\n```\n\n"
        f"Right:\n\n```py\n{entry.right}\n```\n\n{entry.mend}"
    )


def test_the_page_has_no_other_code() -> None:
    """A code that is gone is gone from the page, too."""
    assert re.findall(r"^### (\S+)", PAGE, re.MULTILINE) == [entry.code for entry in CATALOGUE]


def test_the_page_has_every_setting() -> None:
    """And no other."""
    table = PAGE.partition("## Settings of the lint")[2].partition("## The command")[0]
    keys = re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)
    assert keys == [name.replace("_", "-") for name in Settings._fields]


def test_the_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    """The example can be copied."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(example, encoding="utf-8")
    assert read_settings(tmp_path).per_file_ignores == (("tests", ("OBS",)),)


def test_the_page_has_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """And every format."""
    with pytest.raises(SystemExit):
        main(["--help"])
    written = PAGE.partition("## The command")[2]
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert set(re.findall(r"--[a-z-]+", written.partition("```\n\n")[0])) == known
    assert f"[--format {'|'.join(FORMATS)}]" in written


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.code)
def test_names_are_in_kebab_case_and_examples_differ(entry: Code) -> None:
    """What is right is Python, unless it is about files."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.name)
    assert entry.wrong != entry.right
    if entry.code != "OBS201":
        ast.parse(entry.right)
