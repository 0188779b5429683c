"""Beyond loopback, and with TLS."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from observatory_websocket.server.service import WebSocketService
from observatory_websocket.settings import WebSocketSettings

from observatory import Clock, Context, PubSub, SecuritySettings, SettingsError, read_service


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority of the tests' own."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def security(authority: trustme.CA, tmp_path: Path) -> SecuritySettings:
    """Return settings with a certificate of that authority."""
    certificate = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    return SecuritySettings(certificate=tmp_path / "certificate.pem", key=tmp_path / "key.pem")


@pytest.fixture
async def house(open_house: Any, security: SecuritySettings) -> AsyncIterator[Any]:
    """Return an open door with TLS."""
    async with open_house(tables={"security": security}) as house:
        yield house


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Return what a client needs that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_wss(house: Any, trusting: ssl.SSLContext) -> None:
    """Over TLS all is the same, and `service.json` says that it is TLS."""
    assert house.url.startswith("wss://127.0.0.1:")
    info = await trio.to_thread.run_sync(read_service, house.obs.settings.root)
    assert info is not None
    assert info.doors == {"websocket": house.url}
    async with house.client(ssl_context=trusting) as client:
        assert (await client.call("health.get"))["healthy"]


async def test_plain_text(house: Any, trusting: ssl.SSLContext) -> None:
    """A client that does not speak TLS is let go, and nobody else notices."""
    async with house.client(ssl_context=trusting) as client:
        async with house.raw() as raw:
            await raw.stream.send_all(raw.request())
            assert b"HTTP" not in await raw.everything()
        assert (await client.call("health.get"))["healthy"]


async def test_refused_over_tls(house: Any, trusting: ssl.SSLContext) -> None:
    """A refusal reaches a client over TLS, too."""
    async with house.raw() as raw:
        raw.stream = trio.SSLStream(raw.stream, trusting, server_hostname="127.0.0.1", https_compatible=True)
        status, _, text = await raw.ask(raw.request(Host="evil.example"))
    assert (status, text.startswith("expected one Host")) == (403, True)


async def test_tls_that_never_ends(open_house: Any, security: SecuritySettings, trusting: ssl.SSLContext) -> None:
    """Who begins TLS and does not go on is let go in time."""
    async with open_house(tables={"security": security}, handshake_seconds=0.2) as house, house.raw() as raw:
        await raw.stream.send_all(b"\x16\x03\x01\x02\x00\x01")  # the head of a ClientHello
        assert await raw.everything() == b""


async def test_everywhere(open_house: Any, security: SecuritySettings, trusting: ssl.SSLContext) -> None:
    """With TLS it may listen on every address, and is found on loopback."""
    async with open_house(tables={"security": security}, host="0.0.0.0") as house:  # noqa: S104 -- what is tested
        assert house.url.startswith("wss://127.0.0.1:")
        async with house.client(ssl_context=trusting) as client:
            assert (await client.call("health.get"))["healthy"]


async def test_stop(open_house: Any, security: SecuritySettings, trusting: ssl.SSLContext) -> None:
    """Clients over TLS hear that the service ends."""
    async with AsyncExitStack() as stack:
        async with open_house(tables={"security": security}) as house:
            raw = await stack.enter_async_context(house.raw())
            raw.stream = trio.SSLStream(raw.stream, trusting, server_hostname="127.0.0.1", https_compatible=True)
            await raw.upgrade()
        assert await raw.close_code() == (1001, "the service is ending")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "observatory.example"])  # noqa: S104 -- what is tested
async def test_refuses_in_the_clear(tmp_path: Path, host: str) -> None:
    """Without TLS it does not listen on what is no loopback address."""
    service = WebSocketService(Context(tmp_path, Clock(), PubSub(), WebSocketSettings(host=host), {}, {}))
    with pytest.raises(SettingsError, match=r"no loopback address: name certificate and key for TLS"):
        await service.run()
