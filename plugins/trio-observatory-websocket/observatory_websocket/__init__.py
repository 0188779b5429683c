"""Observatory's websocket: a service that other processes talk to, and the client for it."""

# plugin      what Observatory loads: the hooks and the settings class
# settings    what can be set
# server/     the service, from the socket to the library
# channel     the delivery channel: an agent's mail, to its own connections
# client/     what a program talks to it with

from observatory_websocket.channel import WebSocketChannel
from observatory_websocket.client.client import WebSocketClient
from observatory_websocket.client.opening import open_client
from observatory_websocket.client.subscriptions import WebSocketSubscription
from observatory_websocket.server.service import WebSocketService
from observatory_websocket.settings import WebSocketSettings

__all__ = [
    "WebSocketChannel",
    "WebSocketClient",
    "WebSocketService",
    "WebSocketSettings",
    "WebSocketSubscription",
    "open_client",
]
