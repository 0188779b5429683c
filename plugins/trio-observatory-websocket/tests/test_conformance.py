"""The plugin and its service keep the laws."""

from __future__ import annotations

import pytest
import trio
from observatory_websocket.server.service import WebSocketService
from trio_websocket import open_websocket_url

from observatory import Context, Service, ServiceFactory
from observatory.testing import PluginConformance, ServiceConformance


class TestPlugin(PluginConformance):
    """The plugin as a whole."""

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the entry point."""
        return "websocket"


class TestService(ServiceConformance):
    """The service."""

    @pytest.fixture(autouse=True)
    def _know_token(self, context: Context) -> None:
        self._headers = [(b"Authorization", b"Bearer " + context.security.token.encode())]

    @pytest.fixture
    def service_factory(self) -> ServiceFactory:
        """Return what is registered."""
        return WebSocketService

    async def use(self, service: Service) -> None:
        """Connect, and ask for something."""
        assert isinstance(service, WebSocketService)
        assert service.url is not None
        async with open_websocket_url(service.url, extra_headers=self._headers) as socket:
            await socket.send_message('{"jsonrpc": "2.0", "id": 1, "method": "observatory.describe"}')
            assert '"methods"' in await socket.get_message()
        while service.statistics()["open"]:  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(0.01)
