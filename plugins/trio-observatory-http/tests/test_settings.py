"""What can be set, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
from observatory_http.settings import HttpSettings

from observatory import SettingsError

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        ({"enabled": 1}, r"expected true or false, got 1.* @ \$.enabled"),
        ({"host": ""}, r"expected the name or the address of a host.* @ \$.host"),
        ({"port": 65_536}, r"expected an integer of at least 0 and at most 65535, got 65536.* @ \$.port"),
        ({"port": "80"}, r"expected an integer .*, got str.* @ \$.port"),
        ({"max_connections": 0}, r"expected an integer of at least 1, got 0.* @ \$.max_connections"),
        ({"max_body_bytes": 4_194_305}, r"expected an integer .* at most 4194304.* @ \$.max_body_bytes"),
        ({"request_seconds": 0}, r"expected a number of seconds above 0.* @ \$.request_seconds"),
        ({"redact": "a"}, r"expected a list of regular expressions, got 'a'.* @ \$.redact"),
        ({"redact": ["a", 5]}, r"expected a regular expression, got 5.* @ \$.redact\[1\]"),
        ({"redact": ["("]}, r"'\(' is no regular expression: .* @ \$.redact\[0\]"),
        ({"redact": ["a*"]}, r"'a\*' matches where there is nothing.* @ \$.redact\[0\]"),
        ({"offer_mail": "yes"}, r"expected true or false, got 'yes'.* @ \$.offer_mail"),
        ({"write_seconds": float("nan")}, r"expected a number of seconds above 0.* @ \$.write_seconds"),
    ],
    ids=str,
)
def test_refused(wrong: dict[str, Any], finding: str) -> None:
    """Each is checked, and the error says what is allowed."""
    with pytest.raises(SettingsError, match=finding):
        HttpSettings(**wrong)


def test_readme() -> None:
    """The README has every setting with its default."""
    [block] = [part for part in README.read_text("utf-8").split("```") if part.startswith("toml")]
    assert tomllib.loads(block.removeprefix("toml"))["plugins"]["http"] == attrs.asdict(HttpSettings(redact=[]))
