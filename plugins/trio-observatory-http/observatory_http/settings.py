"""What can be set under `[plugins.http]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs

from observatory import SettingsError

DOOR = "http"
"""The name of the service, also in `service.json`."""

_MAX_BODY = 4 * 1024 * 1024


def _count(at_least: int, at_most: int | None = None) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        words = f"an integer of at least {at_least}" + (f" and at most {at_most}" if at_most is not None else "")
        if isinstance(value, bool) or not isinstance(value, int):
            raise SettingsError(f"$.{attribute.name}", f"expected {words}, got {type(value).__name__}")
        if value < at_least or (at_most is not None and value > at_most):
            raise SettingsError(f"$.{attribute.name}", f"expected {words}, got {value}")

    return check


def _seconds(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise SettingsError(f"$.{attribute.name}", f"expected a number of seconds above 0, got {value!r:.80}")


def _switch(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise SettingsError(f"$.{attribute.name}", f"expected true or false, got {value!r:.80}")


def _text(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"$.{attribute.name}", f"expected the name or the address of a host, got {value!r:.80}")


def _patterns(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, tuple | list):
        raise SettingsError(f"$.{attribute.name}", f"expected a list of regular expressions, got {value!r:.80}")
    for place, pattern in enumerate(value):
        where = f"$.{attribute.name}[{place}]"
        if not isinstance(pattern, str) or not pattern:
            raise SettingsError(where, f"expected a regular expression, got {pattern!r:.80}")
        try:
            found = re.compile(pattern)
        except re.error as error:
            raise SettingsError(where, f"{pattern!r:.80} is no regular expression: {error}") from error
        if found.match(""):
            raise SettingsError(where, f"{pattern!r:.80} matches where there is nothing; it would blacken everything")


@attrs.frozen(kw_only=True)
class HttpSettings:
    """`[plugins.http]`: where the service listens, and its bounds. Who may come in stands in `[security]`."""

    enabled: bool = attrs.field(default=True, validator=_switch)
    """Whether an Observatory that runs services opens the door."""
    host: str = attrs.field(default="127.0.0.1", validator=_text)
    """The address it listens on; another one than loopback needs TLS."""
    port: int = attrs.field(default=0, validator=_count(0, 65_535))
    """The port; 0 is one of the system's choice, which stands in `{root}/observatory/service.json`."""
    max_connections: int = attrs.field(default=256, validator=_count(1))
    """Connections at a time; beyond, one that has not said who it is makes room, or the new one has to wait (503)."""
    max_body_bytes: int = attrs.field(default=_MAX_BODY, validator=_count(1_024, _MAX_BODY))
    """Bytes of the largest body of a request (413)."""
    request_seconds: float = attrs.field(default=10.0, validator=_seconds)
    """Seconds that a client has for the head of a request, and then for its body; as long it may be idle in between."""
    write_seconds: float = attrs.field(default=10.0, validator=_seconds)
    """Seconds after which a client that takes nothing of its answer is cut off."""
    offer_mail: bool = attrs.field(default=True, validator=_switch)
    """Whether the answer to an event that may add to an agent's context brings its unread mail, each message once."""
    redact: Sequence[str] = attrs.field(default=(), validator=_patterns)
    """Regular expressions: what they match in the strings of events is replaced before anybody hears of it."""
