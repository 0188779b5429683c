"""What schemathesis makes of the document: requests that it allows and that it does not, to a real service."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import SecuritySettings

_BEYOND = "/(modules|services)/|messages$|notes/"
"""Paths where a text has to be more than a schema says, such as printable: what it allows may be refused (400)."""

_LEFT_OUT = "unsupported_method"
"""This check sends nothing that says it is JSON, which is refused before any route; `test_attacks` asks for methods."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "operations"),
    [
        (["--exclude-path-regex", _BEYOND, "--exclude-checks", _LEFT_OUT], 6),
        (["--include-path-regex", _BEYOND, "--exclude-checks", f"{_LEFT_OUT},positive_data_acceptance"], 20),
    ],
    ids=["exact", "beyond"],
)
async def test_every_operation(open_house: Any, tmp_path: Path, chosen: list[str], operations: int) -> None:
    """Nothing fails, every status is documented, every answer is as its schema says, and what is wrong is refused."""
    tables = {"security": SecuritySettings(requests_per_second=1_000_000, burst=1_000_000)}
    async with open_house(also=("skills",), tables=tables) as house:
        command = [sys.executable, "-W", "error", "-m", "schemathesis.cli", "run", f"{house.url}api/openapi.json"]
        command += ["--header", f"Authorization: Bearer {house.token}", *chosen]
        command += ["--generation-deterministic", "--seed", "1", "--max-examples", "10", "--warnings", "off"]
        # It leaves what it has found in the folder that it runs in.
        done = await trio.run_process(command, check=False, capture_stdout=True, stderr=subprocess.STDOUT, cwd=tmp_path)
    said = done.stdout.decode()
    assert done.returncode == 0, said
    found = re.search(r"Tested: (\d+)[\s\S]*\b(\d+) generated", said)
    assert found is not None, said
    assert int(found[1]) >= operations, said
    assert int(found[2]) >= 10 * operations, said
