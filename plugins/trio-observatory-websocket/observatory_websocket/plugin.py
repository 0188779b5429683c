"""What Observatory loads through the entry point `websocket`."""

from __future__ import annotations

from observatory import ChannelFactory, Connector, Registrar, ServiceFactory, hookimpl
from observatory_websocket.channel import WebSocketChannel
from observatory_websocket.client.opening import connect
from observatory_websocket.server.service import WebSocketService
from observatory_websocket.settings import WebSocketSettings

settings_class = WebSocketSettings


@hookimpl
def observatory_register_channels(registrar: Registrar[ChannelFactory]) -> None:
    """Register the delivery channel `websocket`, where it is wanted."""
    if registrar.settings.enabled and registrar.settings.channel:
        registrar.register("websocket", WebSocketChannel)


@hookimpl
def observatory_register_services(registrar: Registrar[ServiceFactory]) -> None:
    """Register the service `websocket`, unless it is turned off."""
    if registrar.settings.enabled:
        registrar.register("websocket", WebSocketService)


@hookimpl
def observatory_register_connectors(registrar: Registrar[Connector]) -> None:
    """Register the connector `websocket`."""
    registrar.register("websocket", connect)
