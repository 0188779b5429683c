"""Beyond loopback, and with TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
import trustme
from observatory_http.server.service import HttpService
from observatory_http.settings import HttpSettings

from observatory import Clock, Context, PubSub, SecuritySettings, SettingsError


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority of the tests' own."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def tables(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """Return settings with a certificate of that authority."""
    certificate = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    return {"security": SecuritySettings(certificate=tmp_path / "certificate.pem", key=tmp_path / "key.pem")}


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Return what a client needs that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_https(open_house: Any, tables: Any, trusting: ssl.SSLContext) -> None:
    """Over TLS all is the same."""
    async with open_house(tables=tables) as house, house.client(verify=trusting) as client:
        assert house.url.startswith("https://127.0.0.1:")
        assert (await client.get("metrics")).status_code == 200
        assert (await client.post("metrics", json={})).status_code == 405


async def test_untrusted(open_house: Any, tables: Any) -> None:
    """A client that does not trust it does not come in, and costs nobody anything."""
    async with open_house(tables=tables) as house:
        with pytest.raises(httpx2.ConnectError):
            async with house.client() as client:
                await client.get("metrics")
        await house.until(lambda: house.figures["connections"] == 0)


async def test_plain_text(open_house: Any, tables: Any) -> None:
    """Without TLS nothing is answered, and nothing is told."""
    async with open_house(tables=tables) as house, house.raw() as raw:
        await raw.stream.send_all(raw.request())
        assert b"HTTP" not in await raw.everything()


async def test_beyond_loopback(tmp_path: Path) -> None:
    """Where others can reach it, it does not open without TLS."""
    service = HttpService(Context(tmp_path, Clock(), PubSub(), HttpSettings(host="0.0.0.0"), {}, {}))  # noqa: S104
    with pytest.raises(SettingsError, match="is no loopback address: name certificate and key for TLS"):
        await service.run()


async def test_slow_handshake(open_house: Any, tables: Any) -> None:
    """Who does not come to the end of the handshake is cut off."""
    async with open_house(tables=tables, request_seconds=0.1) as house, house.raw() as raw:
        await raw.stream.send_all(b"\x16\x03\x01")
        await raw.everything()
        await house.until(lambda: house.figures["connections"] == 0)


async def test_stop(open_house: Any, tables: Any, trusting: ssl.SSLContext) -> None:
    """When it ends, clients that are connected hold nobody up."""
    async with open_house(tables=tables) as house, house.client(verify=trusting) as client:
        await client.get("metrics")
        before = trio.current_time()
        await house.obs.stop()
        assert trio.current_time() - before < 2
