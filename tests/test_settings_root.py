"""Where the root comes from."""

import pwd
from pathlib import Path
from typing import Any

import pytest

from observatory import Settings, SettingsError, load_settings
from observatory.settings import default_root


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory without observatory.toml."""
    monkeypatch.chdir(tmp_path)


def from_environ(root: str) -> Settings:
    """Load settings from one variable."""
    return load_settings(environ={"OBSERVATORY_ROOT": root})


def test_config_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    """$CLAUDE_CONFIG_DIR is the root when it is set."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/srv/claude")
    assert default_root() == Settings().root == Path("/srv/claude")


@pytest.mark.parametrize("value", [None, ""])
def test_home(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, or when it is empty, the root is ~/.claude."""
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    if value is not None:
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", value)
    assert default_root() == Path("/home/someone/.claude")


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home directory is told so."""

    def unknown_user(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown_user)
    with pytest.raises(SettingsError, match=r"no home directory.* @ \$\.root"):
        default_root()


def test_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leading ~ stands for the home directory, as in a shell."""
    monkeypatch.setenv("HOME", "/home/someone")
    assert from_environ("~/swarm").root == Settings(root="~/swarm").root == Path("/home/someone/swarm")


def test_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative root stays where it is when the program changes its directory."""
    settings = [Settings(root="swarm"), from_environ("swarm")]
    monkeypatch.chdir("/")
    assert [each.root for each in settings] == [tmp_path / "swarm"] * 2


def test_relative_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the current directory is gone, there is no relative root."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SettingsError, match=r"a directory that is gone: No such file or directory @ \$\.root"):
        Settings(root="swarm")


@pytest.mark.parametrize("root", [5, None, "", "a\0b"])
def test_no_path(root: Any) -> None:
    """What cannot be a path is refused."""
    with pytest.raises(SettingsError, match=r"expected a path, got .* @ \$\.root"):
        Settings(root=root)
