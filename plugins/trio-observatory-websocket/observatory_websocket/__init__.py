"""Observatory's websocket: a service that other processes talk to, and the client for it."""

# plugin      what Observatory loads: the hooks and the settings class
# settings    what can be set
# bounds      how much one request may ask for
# server/     the service, from the socket to the library
# channel     the delivery channel: an agent's mail, to its own connections
# client/     what a program talks to it with

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from observatory_websocket.settings import WebSocketSettings

if TYPE_CHECKING:
    from observatory_websocket.channel import WebSocketChannel
    from observatory_websocket.client.client import WebSocketClient
    from observatory_websocket.client.opening import open_client
    from observatory_websocket.client.subscriptions import WebSocketSubscription
    from observatory_websocket.server.service import WebSocketService

__all__ = [
    "WebSocketChannel",
    "WebSocketClient",
    "WebSocketService",
    "WebSocketSettings",
    "WebSocketSubscription",
    "open_client",
]

# What needs the websocket is imported when it is asked for: Observatory loads this package for every command.
_LATE = {
    "WebSocketChannel": "channel",
    "WebSocketClient": "client.client",
    "WebSocketService": "server.service",
    "WebSocketSubscription": "client.subscriptions",
    "open_client": "client.opening",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
