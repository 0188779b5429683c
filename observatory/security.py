"""Who may come in: tokens, the identities they name, Host and Origin. One layer for every door of a service."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from observatory.arguments import check_name, given, is_name, shorten
from observatory.errors import ForbiddenError, RateLimitError, SettingsError, UnauthorizedError
from observatory.settings import SecuritySettings

_MAX_TOKEN = 256
"""Characters; the token of an agent with the longest name has 172."""
_PURPOSE = b"observatory identity\0"
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\n?")
"""The first one of a file is the service's own; a key may stand in the same file."""


@attrs.frozen
class Identity:
    """Who a token names."""

    name: str | None
    """The agent; None for whoever holds the service's own token: its owner, who may act as anybody."""

    @property
    def verified(self) -> bool:
        """Whether it names somebody, so that what comes from here is certain to come from them."""
        return self.name is not None

    def check_acts_as(self, name: str) -> None:
        """Check that it may act as the agent of that name.

        Raises:
            ForbiddenError: it names another one.
        """
        if self.name is not None and self.name != name:
            raise ForbiddenError(f"the token names {self.name!r}, which cannot act as {name!r:.80}")


def token_for(service_token: str, name: str) -> str:
    """Make the token of an agent: with it one comes in by every door, as that agent only.

    Args:
        service_token: the service's own, such as `read_service` finds it.
        name: the agent, 1 to 128 characters of `A-Z a-z 0-9 . _ @ + -`, no dot at the start.

    Raises:
        InvalidInputError: that is no name.
    """
    check_name("name", name)
    return f"{name}.{_proof(service_token, name)}"


def _proof(service_token: str, name: str) -> str:
    digest = hmac.digest(service_token.encode(), _PURPOSE + name.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Security:
    """What every door asks before it lets somebody in.

    Args:
        settings: by default `SecuritySettings()`.
    """

    def __init__(self, settings: SecuritySettings | None = None) -> None:
        self._settings = given("settings", SecuritySettings, settings)
        self._buckets = _Buckets(self._settings)
        self.token = secrets.token_urlsafe(32)
        """The service's own token: 256 bits, made anew for each run. Whoever holds it may act as anybody."""
        self.rate_limited = 0
        """How many requests `admit` has refused."""

    def token_for(self, name: str) -> str:
        """Make the token of an agent, as the function `token_for` does.

        Raises:
            InvalidInputError: that is no name.
        """
        return token_for(self.token, name)

    def identify(self, token: str) -> Identity:
        """Return whom a token names, in a time that tells nothing of the right one.

        Raises:
            UnauthorizedError: it is not of this run of the service.
        """
        if not isinstance(token, str) or len(token) > _MAX_TOKEN or not token.isascii():
            raise UnauthorizedError()
        name = token.rpartition(".")[0]
        proof = _proof(self.token, name)  # also where it is not needed: whichever kind of token, it is the same work
        expected = f"{name}.{proof}" if name else self.token
        if not hmac.compare_digest(token, expected) or (name and not is_name(name)):
            raise UnauthorizedError()
        return Identity(name or None)

    def bearer(self, header_values: Sequence[bytes]) -> str | None:
        """Read the token out of the values of the Authorization header; None where there is no such header.

        Raises:
            UnauthorizedError: there are two, or one of another form than `Bearer TOKEN`.
        """
        if not header_values:
            return None
        scheme, _, token = header_values[0].partition(b" ")
        if len(header_values) > 1 or scheme.lower() != b"bearer" or not token.strip() or not token.isascii():
            raise UnauthorizedError("expected one header 'Authorization: Bearer TOKEN'")
        return token.strip().decode()

    def check_host(self, values: Sequence[bytes], port: int) -> None:
        """Check the values of the Host header of a request to the door at that port.

        Raises:
            ForbiddenError: it is missing, stands there twice, or names what is not allowed.
        """
        allowed = (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", *self._settings.hosts)
        if len(values) != 1 or values[0].lower() not in {host.lower().encode() for host in allowed}:
            raise ForbiddenError(_refusal("Host", values, allowed))

    def check_origin(self, values: Sequence[bytes]) -> None:
        """Check the values of the Origin header of a request. Programs send none; browsers send the page's.

        Raises:
            ForbiddenError: it stands there twice, or is one that the settings do not name.
        """
        allowed = self._settings.origins
        if values and (len(values) > 1 or values[0] not in {origin.encode() for origin in allowed}):
            raise ForbiddenError(_refusal("Origin", values, allowed))

    def admit(self, identity: Identity) -> None:
        """Count a request of an identity.

        Raises:
            RateLimitError: it has asked for more than it may; the request does not count.
        """
        wait = self._buckets.take(identity.name)
        if wait:
            self.rate_limited += 1
            raise RateLimitError(identity.name, wait)

    def check_binding(self, host: str) -> None:
        """Check that a door may be opened at an address: beyond loopback, tokens must not pass in the clear.

        Raises:
            SettingsError: others can reach it, and there is no certificate.
        """
        if self._settings.certificate is None and not _is_loopback(host):
            reason = f"required to bind {host!r:.80}, which is no loopback address: name certificate and key for TLS"
            raise SettingsError("$.security.certificate", reason)

    def ssl_context(self) -> ssl.SSLContext | None:
        """Read certificate and key for the server's side of TLS; None without them. Blocks for as long as that takes.

        Raises:
            SettingsError: they cannot be read, or do not go together.
        """
        certificate, key = self._settings.certificate, self._settings.key
        if certificate is None or key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for name, path in (("certificate", certificate), ("key", key)):
            _read(name, path)
        try:
            context.load_cert_chain(certificate, key, password="")  # or OpenSSL would ask at the terminal
        except OSError as error:
            files = f"{str(certificate)!r} and {str(key)!r}"
            reason = f"expected PEM files of a certificate and of its key, not encrypted, got {files}"
            raise SettingsError("$.security.certificate", reason) from error
        return context

    def certificate(self) -> str | None:
        """Read the service's own certificate, without those that vouch for it, as PEM; None without TLS. Blocks.

        Raises:
            SettingsError: it cannot be read.
        """
        path = self._settings.certificate
        if path is None:
            return None
        found = _CERTIFICATE.search(_read("certificate", path))
        return None if found is None else found[0].decode()


class _Buckets:
    """A token bucket for each identity; one that is full again is forgotten."""

    def __init__(self, settings: SecuritySettings) -> None:
        self._rate = settings.requests_per_second
        self._size = settings.burst
        # What was left in it at which time; the one that was taken from last stands last.
        self._buckets: OrderedDict[str | None, tuple[float, float]] = OrderedDict()

    def take(self, name: str | None) -> float:
        """Take one from a bucket: return 0, or the seconds after which it holds one."""
        now = trio.current_time()
        level = self._level(name, now)
        if level < 0.999:  # not 1: who has waited for as long as was said must not be told to wait for a rounding error
            return (1 - level) / self._rate
        self._buckets[name] = (level - 1, now)
        self._buckets.move_to_end(name)
        self._forget(now)
        return 0

    def _level(self, name: str | None, now: float) -> float:
        level, since = self._buckets.get(name, (self._size, now))
        return min(self._size, level + (now - since) * self._rate)

    def _forget(self, now: float) -> None:
        """Forget those at the front that are full; any other one becomes full, and is at the front by then."""
        while self._level(first := next(iter(self._buckets)), now) >= self._size:
            del self._buckets[first]


def _refusal(header: str, values: Sequence[bytes], allowed: Sequence[str]) -> str:
    got = ", ".join(shorten(value.decode("latin-1")) for value in values[:2]) or "none"
    return f"expected one {header} of those that are allowed ({', '.join(allowed) or 'none is'}), got {got}"


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"$.security.{name}", f"{str(path)!r} cannot be read: {error.strerror}") from error


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
