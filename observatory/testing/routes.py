"""The laws of a route: an ASGI application that a plugin has served below `/NAME`."""

from __future__ import annotations

from typing import ClassVar

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import Asgi, AsgiApp, Context, Identity, RouteFactory
from observatory.testing.laws import Conformance, law
from observatory.testing.services import left_of, resources

_METHODS = ("GET", "POST", "DELETE", "OPTIONS")


class RouteConformance(Conformance):
    """The laws of a route. A subclass gives the fixture `route_factory`."""

    paths: ClassVar[tuple[str, ...]] = ("/", "/no-such-path")
    """What is asked for: `/NAME` itself stands as `/`."""

    @pytest.fixture
    def route_factory(self) -> RouteFactory:
        """Return what the plugin registers."""
        raise NotImplementedError("give your suite a fixture `route_factory` that returns what you register")

    @pytest.fixture
    def app(self, route_factory: RouteFactory, context: Context) -> AsgiApp:
        """Return the application."""
        return route_factory(context)

    @law
    async def test_answers(self, app: AsgiApp) -> None:
        """It answers every request, and raises nothing for what a client can do."""
        for path in self.paths:
            for method in _METHODS:
                for identity in (Identity(None), Identity("agent-42")):
                    request = _Request(method, path, identity)
                    await app(request.scope, request.receive, request.send)
                    assert request.status, f"{method} {path} is not answered"
                    assert request.complete, f"the answer to {method} {path} never ends"

    @law
    async def test_cancelled(self, app: AsgiApp) -> None:
        """A request that is cancelled leaves nothing behind."""
        await self._cancel_each(app)  # what is made once for the whole process is made now
        before = resources()
        await self._cancel_each(app)
        assert not await left_of(before), "something is left of it"

    async def _cancel_each(self, app: AsgiApp) -> None:
        for path in self.paths:
            for method in _METHODS:
                request = _Request(method, path, Identity("agent-42"), whole=False)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(app, request.scope, request.receive, request.send)
                    await wait_all_tasks_blocked()
                    nursery.cancel_scope.cancel()


class _Request:
    """A request, and what is answered to it.

    Args:
        method: such as `GET`.
        path: below the route.
        identity: who asks.
        whole: whether the body ever comes.
    """

    def __init__(self, method: str, path: str, identity: Identity, *, whole: bool = True) -> None:
        self.status: int | None = None
        self.complete = False
        self._whole = whole
        full = f"/route{path}".rstrip("/")
        self.scope: Asgi = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.1"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": full,
            "raw_path": full.encode(),
            "query_string": b"",
            "root_path": "/route",
            "headers": [(b"host", b"127.0.0.1:1"), (b"content-type", b"application/json"), (b"content-length", b"2")],
            "client": ("127.0.0.1", 2),
            "server": ("127.0.0.1", 1),
            "state": {"identity": identity},
            "extensions": {},
        }

    async def receive(self) -> Asgi:
        """Give the body, and once the answer is there say that the client has gone."""
        await trio.lowlevel.checkpoint()
        if not self._whole:
            await trio.sleep_forever()
        if self.complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(self, message: Asgi) -> None:
        """Take a part of the answer."""
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            assert self.status is None, "one request is answered twice"
            self.status = message["status"]
        else:
            assert self.status, "an answer has no beginning"
            assert not self.complete, "an answer goes on after its end"
            self.complete = not message.get("more_body", False)
