"""What is written is as the settings of Claude Code are described.

The published schema is `claude-code-settings.json` of the JSON Schema Store (json.schemastore.org). It is not part of
this checkout: `CLAUDE_SETTINGS_SCHEMA=FILE pytest …` compares with a copy of it, too. `hooks.schema.json` says in our
own words what it says of hooks that are commands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

Connect = Callable[..., Any]

PUBLISHED = os.environ.get("CLAUDE_SETTINGS_SCHEMA")
SCHEMAS = [Path(__file__).with_name("hooks.schema.json"), *([Path(PUBLISHED)] if PUBLISHED else [])]


@pytest.fixture(params=SCHEMAS, ids=lambda path: path.name)
def validator(request: pytest.FixtureRequest) -> jsonschema.Draft7Validator:
    """Return what validates settings."""
    schema = json.loads(request.param.read_text("utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("before", ["{}", '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}}'])
def test_valid(validator: jsonschema.Draft7Validator, connect: Connect, settings: Path, before: str) -> None:
    """Settings are valid before and after."""
    settings.write_text(before)
    validator.validate(json.loads(before))
    connect()
    validator.validate(json.loads(settings.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        lambda hooks: hooks.update(Nonsense=[]),
        lambda hooks: hooks["Stop"][0].update(matchers=""),
        lambda hooks: hooks["Stop"][0]["hooks"][0].update(seconds=5),
        lambda hooks: hooks["Stop"][0]["hooks"][0].pop("command"),
        lambda hooks: hooks["Stop"][0]["hooks"][0].update(timeout=0),
    ],
)
def test_invalid(
    validator: jsonschema.Draft7Validator, connect: Connect, settings: Path, change: Callable[[Any], None]
) -> None:
    """The schemas tell what is not valid."""
    connect()
    value = json.loads(settings.read_text())
    change(value["hooks"])
    assert not validator.is_valid(value)
