"""What pages of other origins may do, as browsers ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from observatory import SecuritySettings


@pytest.fixture
async def house(open_house: Any) -> AsyncIterator[Any]:
    """Return an open door, where a page may ask."""
    async with open_house(tables={"security": SecuritySettings(origins=("https://good.example",))}) as house:
        yield house


_PREFLIGHT = {"Authorization": None, "Access_Control_Request_Method": "POST"}
_HEADERS = "authorization,content-type,mcp-protocol-version"


@pytest.mark.parametrize("path", ["/api/notes/k", "/metrics", "/nothing", "/healthz"])
async def test_preflight(house: Any, path: str) -> None:
    """A browser is told that a page may ask whose origin the settings name, before any route and any token."""
    async with house.raw() as raw:
        request = raw.request(
            f"OPTIONS {path} HTTP/1.1",
            Origin="https://good.example",
            Access_Control_Request_Headers=_HEADERS,
            **_PREFLIGHT,
        )
        status, headers, text = await raw.ask(request)
    assert (status, text, house.figures["requests"]) == (204, "", 0)
    assert headers["access-control-allow-origin"] == "https://good.example"
    assert headers["access-control-allow-methods"] == "POST"
    assert headers["access-control-allow-headers"] == _HEADERS
    assert headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_preflight_of_others(house: Any, origin: str | None) -> None:
    """No other page is told so; what is no preflight needs a token."""
    async with house.raw() as raw:
        status, headers, _ = await raw.ask(raw.request("OPTIONS /metrics HTTP/1.1", Origin=origin, **_PREFLIGHT))
    assert status == (403 if origin else 401)
    assert not any(name.startswith("access-control") for name in headers)


async def test_page_reads_answers(house: Any) -> None:
    """A page that may ask may read the answer, an error included; nobody else's browser lets it."""
    async with house.client() as client:
        for path in ("metrics", "nothing", "api/notes/none"):
            response = await client.get(path, headers={"Origin": "https://good.example"})
            assert response.headers["access-control-allow-origin"] == "https://good.example"
        assert "access-control-allow-origin" not in (await client.get("metrics")).headers
