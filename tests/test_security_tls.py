"""Where a door may be opened, and with which certificate."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from cryptography.hazmat.primitives import serialization
from trio.testing import open_stream_to_socket_listener

from observatory import Security, SecuritySettings, SettingsError

AUTHORITY = trustme.CA()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a PEM file with a certificate for localhost."""
    issued = AUTHORITY.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    return tmp_path / "certificate.pem"


@pytest.fixture
def key(certificate: Path) -> Path:
    """Return a PEM file with the key of the certificate."""
    return certificate.with_name("key.pem")


class TestBinding:
    """The addresses that a door may be opened at."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
    def test_loopback(self, host: str) -> None:
        """What only this machine reaches needs no TLS."""
        Security().check_binding(host)

    BEYOND = ["", "0.0.0.0", "::", "192.168.0.1", "fe80::1", "example.org", "localhost.example.org", "127.1"]  # noqa: S104

    @pytest.mark.parametrize("host", BEYOND)
    def test_beyond_without_tls(self, host: str) -> None:
        """What others may reach is refused without a certificate, and so is what is no address."""
        with pytest.raises(SettingsError) as caught:
            Security().check_binding(host)
        reason = f"required to bind {host!r}, which is no loopback address: name certificate and key for TLS"
        assert str(caught.value) == f"{reason} @ $.security.certificate"

    @pytest.mark.parametrize("host", BEYOND)
    def test_beyond_with_tls(self, host: str, certificate: Path, key: Path) -> None:
        """With a certificate a door may be opened anywhere."""
        Security(SecuritySettings(certificate=certificate, key=key)).check_binding(host)


class TestCertificate:
    """Reading certificate and key."""

    def test_none(self) -> None:
        """Without a certificate there is no TLS."""
        assert Security().ssl_context() is None

    async def test_handshake(self, certificate: Path, key: Path) -> None:
        """A client that trusts the authority is served, by TLS 1.2 or later."""
        server = Security(SecuritySettings(certificate=certificate, key=key)).ssl_context()
        assert server is not None
        assert server.minimum_version == ssl.TLSVersion.TLSv1_2
        client = ssl.create_default_context()
        AUTHORITY.configure_trust(client)

        async def answer(stream: trio.SSLStream[trio.SocketStream]) -> None:
            await stream.send_all(b"served")
            await stream.aclose()

        listeners = await trio.open_ssl_over_tcp_listeners(0, server, host="127.0.0.1", https_compatible=True)
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, answer, listeners)
            listener = listeners[0].transport_listener
            assert isinstance(listener, trio.SocketListener)
            plain = await open_stream_to_socket_listener(listener)
            stream = trio.SSLStream(plain, client, server_hostname="localhost", https_compatible=True)
            assert await stream.receive_some() == b"served"
            await stream.aclose()
            nursery.cancel_scope.cancel()

    @pytest.mark.parametrize("name", ["certificate", "key"])
    def test_missing(self, name: str, certificate: Path, key: Path, tmp_path: Path) -> None:
        """A file that cannot be read is named, with the setting."""
        paths: dict[str, Any] = {"certificate": certificate, "key": key, name: tmp_path / "none.pem"}
        with pytest.raises(SettingsError) as caught:
            Security(SecuritySettings(**paths)).ssl_context()
        reason = f"{str(tmp_path / 'none.pem')!r} cannot be read: No such file or directory"
        assert str(caught.value) == f"{reason} @ $.security.{name}"

    def test_no_certificate(self, certificate: Path, key: Path) -> None:
        """A file that is no certificate is an error that says what is expected."""
        certificate.write_text("nothing")
        self._refused(certificate, key)

    def test_of_another_key(self, certificate: Path, key: Path) -> None:
        """A key that is not the certificate's is refused."""
        AUTHORITY.issue_cert("localhost").private_key_pem.write_to_path(key)
        self._refused(certificate, key)

    def test_encrypted(self, certificate: Path, key: Path) -> None:
        """A key that is encrypted is refused: nobody is asked for a password at the terminal."""
        encryption = serialization.BestAvailableEncryption(b"secret")
        plain = serialization.load_pem_private_key(key.read_bytes(), None)
        pkcs8 = serialization.PrivateFormat.PKCS8
        key.write_bytes(plain.private_bytes(serialization.Encoding.PEM, pkcs8, encryption))
        self._refused(certificate, key)

    def _refused(self, certificate: Path, key: Path) -> None:
        with pytest.raises(SettingsError, match=r"^expected PEM files of a certificate and of its") as caught:
            Security(SecuritySettings(certificate=certificate, key=key)).ssl_context()
        assert caught.value.path == "$.security.certificate"
        assert str(certificate) in caught.value.reason
        assert str(key) in caught.value.reason


class TestOwnCertificate:
    """Reading the service's own certificate, for clients to trust."""

    def read(self, certificate: Path, key: Path) -> str | None:
        """Return what the service tells."""
        security = Security(SecuritySettings(certificate=certificate, key=key))
        security.ssl_context()  # it can be served
        return security.certificate()

    def test_none(self) -> None:
        """Without TLS there is none."""
        assert Security().certificate() is None

    def test_alone(self, certificate: Path, key: Path) -> None:
        """It is what stands in the file, as it stands there."""
        assert self.read(certificate, key) == certificate.read_text()

    def test_among_others(self, certificate: Path, key: Path) -> None:
        """Of a file with a key, words, and those that vouch for it, it is the certificate only."""
        own = certificate.read_bytes()
        certificate.write_bytes(key.read_bytes() + "Zürich\n".encode() + own + AUTHORITY.cert_pem.bytes())
        assert self.read(certificate, certificate) == own.decode()

    def test_other_form(self, certificate: Path, key: Path) -> None:
        """One of a form that clients do not read is not told."""
        certificate.write_text(certificate.read_text().replace("CERTIFICATE", "X509 CERTIFICATE"))
        assert self.read(certificate, key) is None

    def test_missing(self, certificate: Path, key: Path) -> None:
        """One that cannot be read any more is named, with the setting."""
        security = Security(SecuritySettings(certificate=certificate, key=key))
        certificate.unlink()
        with pytest.raises(SettingsError, match=r"cannot be read: .* @ \$\.security\.certificate$"):
            security.certificate()
