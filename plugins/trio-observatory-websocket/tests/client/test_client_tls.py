"""Whom a client trusts over TLS."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio
import trustme
from observatory_websocket import open_client
from observatory_websocket.client.link import Address
from observatory_websocket.client.session import Session

from observatory import (
    InvalidInputError,
    Observatory,
    SecuritySettings,
    Settings,
    UnreachableError,
    open_observatory,
    read_service,
)

NAME = "swarm.example.org"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a private authority."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(params=["alone", "with a chain"])
async def secured(
    request: pytest.FixtureRequest, authority: trustme.CA, settings: Callable[..., Settings], tmp_path: Path
) -> AsyncIterator[Observatory]:
    """Return an Observatory with a certificate of that authority, for another name than where it is found."""
    issuer = authority if request.param == "alone" else authority.create_child_ca()
    issued = issuer.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)
    security = SecuritySettings(certificate=tmp_path / "certificate.pem", key=tmp_path / "key.pem")
    (tmp_path / "key.pem").write_bytes(issued.private_key_pem.bytes())
    (tmp_path / "certificate.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    async with open_observatory(settings(security=security)) as observatory:
        yield observatory


async def test_root(secured: Observatory) -> None:
    """A client that finds the service by its root trusts the certificate that stands there, whatever it is."""
    assert secured.service("websocket").url.startswith("wss://127.0.0.1:")
    async with open_client(root=secured.settings.root) as client:
        await client.mailbox.send_message("a", "b", "hello")
    assert secured.mailbox.unread_count("a") == 1


async def test_command_line(secured: Observatory) -> None:
    """So do commands."""
    root = str(secured.settings.root)
    command = [sys.executable, "-m", "observatory", "send", "--root", root, "--from", "b", "a", "hello"]
    result = await trio.run_process(command, check=False, capture_stdout=True, stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout
    assert secured.mailbox.unread_count("a") == 1


async def test_another_certificate(secured: Observatory, authority: trustme.CA) -> None:
    """It trusts no other one, not even of the same authority for the same name."""
    service = await trio.to_thread.run_sync(read_service, secured.settings.root)
    assert service is not None
    another = authority.issue_cert(NAME, key_type=trustme.KeyType.ECDSA).cert_chain_pems[0].bytes().decode()
    address = Address(service.doors["websocket"], service.token, another)

    async def locate() -> Address:
        await trio.lowlevel.checkpoint()
        return address

    with pytest.raises(UnreachableError, match="certificate verify failed"):
        await Session(locate).run()


async def test_url(secured: Observatory, authority: trustme.CA) -> None:
    """With a URL a context says whom to trust; names then have to be right."""
    url, token = secured.service("websocket").url, secured.security.token
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with pytest.raises(UnreachableError, match="IP address mismatch"):
        async with open_client(url, token=token, ssl_context=context):
            pass
    context.check_hostname = False
    async with open_client(url, token=token, ssl_context=context) as client:
        await client.health()


async def test_root_and_context(secured: Observatory) -> None:
    """Also with a root, a context that is given is the one that counts."""
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        async with open_client(root=secured.settings.root, ssl_context=ssl.create_default_context()):
            pass


async def test_unknown_authority(secured: Observatory) -> None:
    """An authority that nobody here knows is refused, with what to do."""
    with pytest.raises(UnreachableError, match=r"certificate verify failed.*; give an ssl_context that trusts it"):
        async with open_client(secured.service("websocket").url, token=secured.security.token):
            pass


async def test_no_context() -> None:
    """What is no context is refused."""
    with pytest.raises(InvalidInputError, match=r"ssl_context: expected an ssl\.SSLContext, got bool"):
        async with open_client("wss://127.0.0.1:1/", token="token", ssl_context=True):  # type: ignore[arg-type]
            pass
