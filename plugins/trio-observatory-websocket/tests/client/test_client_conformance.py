"""The laws that hold for every client."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from observatory_websocket import WebSocketClient, open_client

from observatory import Observatory
from observatory.testing import ClientConformance
from observatory.testing.clients import OpenClient


class TestWebSocketClient(ClientConformance):
    """The client that finds the service by the root."""

    plugins = ("websocket",)

    @pytest.fixture
    def open_client(self) -> OpenClient:
        """Return what the plugin registers, for the Observatory's root."""

        def connect(observatory: Observatory) -> AbstractAsyncContextManager[WebSocketClient]:
            return open_client(root=observatory.settings.root)

        return connect
