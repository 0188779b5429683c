"""What Observatory loads through the entry point `websocket`: by every command, so the websocket is imported late."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from observatory import (
    ChannelFactory,
    Client,
    Connector,
    Context,
    DeliveryChannel,
    Registrar,
    Service,
    ServiceFactory,
    hookimpl,
)
from observatory_websocket.settings import WebSocketSettings

settings_class = WebSocketSettings


@hookimpl
def observatory_register_channels(registrar: Registrar[ChannelFactory]) -> None:
    """Register the delivery channel `websocket`, where it is wanted."""
    if registrar.settings.enabled and registrar.settings.channel:
        registrar.register("websocket", _make_channel)


@hookimpl
def observatory_register_services(registrar: Registrar[ServiceFactory]) -> None:
    """Register the service `websocket`, unless it is turned off."""
    if registrar.settings.enabled:
        registrar.register("websocket", _make_service)


@hookimpl
def observatory_register_connectors(registrar: Registrar[Connector]) -> None:
    """Register the connector `websocket`."""
    registrar.register("websocket", _connect)


def _make_channel(context: Context) -> DeliveryChannel:
    from observatory_websocket.channel import WebSocketChannel

    return WebSocketChannel(context)


def _make_service(context: Context) -> Service:
    from observatory_websocket.server.service import WebSocketService

    return WebSocketService(context)


def _connect(root: Path, identity: str | None) -> AbstractAsyncContextManager[Client]:
    from observatory_websocket.client.opening import connect

    return connect(root, identity)
