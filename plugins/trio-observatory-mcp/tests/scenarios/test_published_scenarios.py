"""The published conformance scenarios of MCP that apply, each run as it is published; `nox -s scenarios` installs them.

Not here are scenarios for what this server does not offer: sampling, elicitation, roots, input of the client,
completion, logging, tasks, custom headers, and the extension for skills.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

_NODE = Path(__file__).parent / "node/node_modules"
_PROGRAM = _NODE / "@modelcontextprotocol/conformance/dist/index.js"

OLD, NEW = "2025-11-25", "2026-07-28"
BOTH = (
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
    "tools-call-with-progress",
    "json-schema-2020-12",
    "server-sse-multiple-streams",
    "resources-list",
    "resources-read-text",
    "resources-read-binary",
    "resources-templates-read",
    "prompts-list",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-embedded-resource",
    "prompts-get-with-image",
    "dns-rebinding-protection",
)
OLD_ONLY = ("server-initialize", "server-session-lifecycle", "ping", "resources-subscribe", "resources-unsubscribe")
NEW_ONLY = ("server-stateless", "sep-2164-resource-not-found", "caching", "http-header-validation")


@pytest.mark.skipif(not _PROGRAM.exists(), reason="`nox -s scenarios` installs and runs them; that takes npm")
@pytest.mark.parametrize(
    ("scenario", "revision"),
    [(name, OLD) for name in BOTH + OLD_ONLY] + [(name, NEW) for name in BOTH + NEW_ONLY],
)
async def test_scenario(tested: str, scenario: str, revision: str, tmp_path: Path) -> None:
    """None of its checks fails."""
    arguments = ["--url", tested, "--scenario", scenario, "--spec-version", revision, "--output-dir", str(tmp_path)]
    command = [str(_NODE / ".bin/node"), str(_PROGRAM), "server", *arguments]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    checks = _checks_in(tmp_path)
    failed = [check for check in checks if check["status"] == "FAILURE"]
    assert failed == [], done.stdout.decode()
    assert any(check["status"] == "SUCCESS" for check in checks), done.stdout.decode()
    assert done.returncode == 0


def _checks_in(folder: Path) -> list[dict[str, str]]:
    [found] = folder.rglob("checks.json")
    checks: list[dict[str, str]] = json.loads(found.read_text())
    return checks
