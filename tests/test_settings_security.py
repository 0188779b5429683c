"""`[security]`: what is not allowed is refused where it stands, before a door is opened."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from observatory import SecuritySettings, SettingsError, load_settings

HOST = "a value of the Host header such as 'observatory.example:443'"
ORIGIN = "an origin such as 'http://127.0.0.1:5173'"
RATE = "a number from 0.001 to 1,000,000"
BURST = "an integer from 1 to 1,000,000"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory without observatory.toml."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("host", ["observatory.example", "10.0.0.1:443", "[fe80::1]:443", "my_host:1", "A-b.c"])
def test_hosts(host: str) -> None:
    """Names and addresses are hosts, with a port or, where the door's is the usual one, without."""
    assert SecuritySettings(hosts=[host]).hosts == (host,)


@pytest.mark.parametrize(
    "origin", ["null", "https://a.example", "http://[::1]:80", "chrome-extension://abc", "file://"]
)
def test_origins(origin: str) -> None:
    """What browsers send is an origin."""
    assert SecuritySettings(origins=[origin]).origins == (origin,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hosts": "a:1"}, "expected a list of strings, got a string @ $.hosts"),
        ({"hosts": ["a:1", "ws://a:1"]}, f"expected {HOST}, got 'ws://a:1' @ $.hosts[1]"),
        ({"hosts": ["*"]}, f"expected {HOST}, got '*' @ $.hosts[0]"),
        ({"hosts": [""]}, f"expected {HOST}, got '' @ $.hosts[0]"),
        ({"hosts": ["ä:1"]}, f"expected {HOST}, got 'ä:1' @ $.hosts[0]"),
        ({"origins": ["null", "a:1"]}, f"expected {ORIGIN}, got 'a:1' @ $.origins[1]"),
        ({"origins": ["http://a/"]}, f"expected {ORIGIN}, got 'http://a/' @ $.origins[0]"),
        ({"origins": ["http://a\n"]}, f"expected {ORIGIN}, got 'http://a\\n' @ $.origins[0]"),
        ({"origins": ["http://ä"]}, f"expected {ORIGIN}, got 'http://ä' @ $.origins[0]"),
        ({"origins": ["*"]}, f"expected {ORIGIN}, got '*' @ $.origins[0]"),
        ({"certificate": "c"}, "set without key: TLS needs both @ $.certificate"),
        ({"key": "k"}, "set without certificate: TLS needs both @ $.key"),
        ({"certificate": 5}, "expected a path, got an integer @ $.certificate"),
        ({"key": b"k"}, "expected a path, got a value of class bytes @ $.key"),
        ({"burst": 0}, f"expected {BURST}, got 0 @ $.burst"),
        ({"burst": 1_000_001}, f"expected {BURST}, got 1000001 @ $.burst"),
        ({"burst": 2.0}, f"expected {BURST}, got a number @ $.burst"),
        ({"requests_per_second": 0}, f"expected {RATE}, got 0 @ $.requests_per_second"),
        ({"requests_per_second": inf}, f"expected {RATE}, got inf @ $.requests_per_second"),
        ({"requests_per_second": nan}, f"expected {RATE}, got nan @ $.requests_per_second"),
    ],
)
def test_faults(values: dict[str, Any], message: str) -> None:
    """A value that could never match, or that is out of bounds, is refused where it is made."""
    with pytest.raises(SettingsError) as caught:
        SecuritySettings(**values)
    assert str(caught.value) == message


def test_half_of_tls(tmp_path: Path) -> None:
    """Of a key without a certificate the variable is named."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={"OBSERVATORY_SECURITY__KEY": "key.pem"})
    where = "$.security.key in OBSERVATORY_SECURITY__KEY"
    assert str(caught.value) == f"set without certificate: TLS needs both @ {where}"


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path counts from where the settings are made, also one that could be another value."""
    variables = {"OBSERVATORY_SECURITY__CERTIFICATE": "2026", "OBSERVATORY_SECURITY__KEY": "key.pem"}
    security = load_settings(environ=variables).security
    monkeypatch.chdir("/")
    assert (security.certificate, security.key) == (tmp_path / "2026", tmp_path / "key.pem")
