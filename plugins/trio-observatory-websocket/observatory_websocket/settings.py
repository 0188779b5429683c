"""What can be set under `[plugins.websocket]`."""

from __future__ import annotations

from typing import Any

import attrs

from observatory import SettingsError

DOOR = "websocket"
"""The name of the service in `service.json`, and of the delivery channel."""


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


@attrs.frozen(kw_only=True)
class WebSocketSettings:
    """`[plugins.websocket]`: where the service listens, and its bounds. Who may connect stands in `[security]`."""

    enabled: bool = attrs.field(default=True, validator=_switch)
    """Whether an Observatory that runs services opens the door."""
    channel: bool = attrs.field(default=False, validator=_switch)
    """Whether the delivery channel `websocket` is there: it brings agents that listen for it their mail."""
    host: str = attrs.field(default="127.0.0.1", validator=_text)
    """The address it listens on; another one than loopback needs TLS."""
    port: int = attrs.field(default=0, validator=_count(0, 65_535))
    """The port; 0 is one of the system's choice, which clients find in `{root}/observatory/service.json`."""
    max_connections: int = attrs.field(default=1_024, validator=_count(1))
    """Connections at a time; beyond, a client is told to come back (503)."""
    max_subscriptions: int = attrs.field(default=128, validator=_count(1))
    """Topics and patterns that one connection may follow."""
    max_requests: int = attrs.field(default=64, validator=_count(1))
    """Requests of one connection that are carried out at a time; beyond, no more are read from it."""
    max_frame_bytes: int = attrs.field(default=1024 * 1024, validator=_count(1_024))
    """Bytes of the largest message that is taken; a larger one closes the connection (1009)."""
    queue_events: int = attrs.field(default=256, validator=_count(1))
    """Events that may wait for one connection ..."""
    queue_bytes: int = attrs.field(default=1024 * 1024, validator=_count(1))
    """... and their bytes; beyond either, it is full."""
    full_seconds: float = attrs.field(default=5.0, validator=_seconds)
    """Seconds after which a connection that stays full is closed (1013)."""
    handshake_seconds: float = attrs.field(default=10.0, validator=_seconds)
    """Seconds that a client has to ask for the websocket, and then to say who it is."""
    ping_seconds: float = attrs.field(default=20.0, validator=_seconds)
    """Seconds between two pings; a connection that does not answer within as many is dead."""
