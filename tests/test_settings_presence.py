"""`[presence]`, and who may be written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from observatory import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory without observatory.toml."""
    monkeypatch.chdir(tmp_path)


def from_environ(**variables: str) -> Settings:
    """Load settings from variables alone; the prefix is put before each name."""
    return load_settings(environ={f"OBSERVATORY_{name}": value for name, value in variables.items()})


def test_gone_before_idle() -> None:
    """An agent cannot be gone before it is idle."""
    with pytest.raises(SettingsError, match=r"expected at least idle_after, 60, got 30 @ \$\.presence\.gone_after in"):
        from_environ(PRESENCE__IDLE_AFTER="60", PRESENCE__GONE_AFTER="30")
    assert from_environ(PRESENCE__IDLE_AFTER="60", PRESENCE__GONE_AFTER="60").presence.gone_after == 60


def test_choice() -> None:
    """A setting that is one of some words takes no other."""
    assert from_environ(MAILBOX__UNKNOWN_RECIPIENTS="refuse").mailbox.unknown_recipients == "refuse"
    with pytest.raises(
        SettingsError, match=r"expected one of 'accept', 'refuse', got 'drop' @ \$\.mailbox\.unknown_rec"
    ):
        from_environ(MAILBOX__UNKNOWN_RECIPIENTS="drop")
