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

_CHOSEN = [
    *("--generation-deterministic", "--seed", "1", "--max-examples", "10"),
    # What a text or a number must be beyond that, such as a name, is no part of the types that the document is made
    # of: the library refuses it and names it, as `test_api` shows.
    *("--exclude-checks", "positive_data_acceptance,unsupported_method", "--warnings", "off"),
    # `unsupported_method` sends nothing that says it is JSON, which is refused before any route: see `test_attacks`.
]


@pytest.mark.slow
async def test_every_operation(open_house: Any, tmp_path: Path) -> None:
    """Nothing fails, every status is documented, every answer is as its schema says, and what is wrong is refused."""
    tables = {"security": SecuritySettings(requests_per_second=1_000_000, burst=1_000_000)}
    async with open_house(also=("skills",), tables=tables) as house:
        command = [sys.executable, "-W", "error", "-m", "schemathesis.cli", "run", f"{house.url}api/openapi.json"]
        header = ["--header", f"Authorization: Bearer {house.token}"]
        # Where it leaves what it has found is no folder of ours.
        done = await trio.run_process(
            [*command, *header, *_CHOSEN], check=False, capture_stdout=True, stderr=subprocess.STDOUT, cwd=tmp_path
        )
        async with house.client() as client:
            described = (await client.get("api/openapi.json")).json()["paths"]
    said = done.stdout.decode()
    assert done.returncode == 0, said
    operations = sum(len(methods) for methods in described.values())
    assert f"Tested: {operations}" in said, said
    found = re.search(r"(\d+) generated", said)
    assert found is not None, said
    assert int(found[1]) > 10 * operations
