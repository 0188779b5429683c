"""The plugin and its service keep the laws."""

from __future__ import annotations

import httpx2
import pytest
import trio
from observatory_http.server.service import HttpService

from observatory import Context, Service, ServiceFactory
from observatory.testing import PluginConformance, ServiceConformance


class TestPlugin(PluginConformance):
    """The plugin as a whole."""

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the entry point."""
        return "http"


class TestService(ServiceConformance):
    """The service."""

    @pytest.fixture(autouse=True)
    def _know_token(self, context: Context) -> None:
        self._headers = {"Authorization": f"Bearer {context.security.token}"}

    @pytest.fixture
    def service_factory(self) -> ServiceFactory:
        """Return what is registered."""
        return HttpService

    async def use(self, service: Service) -> None:
        """Connect, and ask for something."""
        assert isinstance(service, HttpService)
        assert service.url is not None
        async with httpx2.AsyncClient(base_url=service.url, headers=self._headers) as client:
            assert (await client.get("metrics")).status_code == 200
        while service.statistics()["connections"]:  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(0.01)
