"""What is written is valid by the published schema of the settings of Claude Code; `schema/README.md` says whose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

Connect = Callable[..., Any]

SCHEMA = json.loads(Path(__file__).with_name("schema").joinpath("claude-code-settings.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    """Return what validates settings."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    return jsonschema.Draft7Validator(SCHEMA)


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
    """The schema tells what is not valid."""
    connect()
    value = json.loads(settings.read_text())
    change(value["hooks"])
    assert not validator.is_valid(value)
