"""The suite for routes passes one that keeps the laws, and finds those that do not."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio

from observatory import Asgi, AsgiApp, Context, RouteFactory
from observatory.testing import RouteConformance

Receive = Callable[[], Awaitable[Asgi]]
Send = Callable[[Asgi], Awaitable[None]]

_START = {"type": "http.response.start", "status": 200, "headers": []}
_PART = {"type": "http.response.body", "body": b"hel", "more_body": True}
_END = {"type": "http.response.body", "body": b"lo"}


def saying(*messages: Asgi) -> RouteFactory:
    """Return what makes an application that reads a request, and says something."""

    def make(context: Context) -> AsgiApp:
        async def app(scope: Asgi, receive: Receive, send: Send) -> None:
            await receive()
            for message in messages:
                await send(message)

        return app

    return make


def staying(context: Context) -> AsgiApp:
    """Make an application that answers, and sees the client off."""
    answering = saying(_START, _PART, _END)(context)

    async def app(scope: Asgi, receive: Receive, send: Send) -> None:
        await answering(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    return app


def raising(context: Context) -> AsgiApp:
    """Make an application that fails."""

    async def app(scope: Asgi, receive: Receive, send: Send) -> None:
        await receive()
        raise KeyError(scope["path"])

    return app


def leaving(context: Context) -> AsgiApp:
    """Make an application that leaves a file open when it is cancelled."""

    async def app(scope: Asgi, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except trio.Cancelled:
            opened.append(os.open(os.devnull, os.O_RDONLY))
            raise

    return app


opened: list[int] = []


@pytest.fixture(autouse=True)
def _close() -> object:
    yield
    while opened:
        os.close(opened.pop())


class TestHello(RouteConformance):
    """An application that says hello."""

    @pytest.fixture
    def route_factory(self) -> RouteFactory:
        """Return what makes one."""
        return staying


@pytest.mark.parametrize(
    ("messages", "finding"),
    [
        ([], "is not answered"),
        ([_START, _PART], "never ends"),
        ([_START, _START], "answered twice"),
        ([_PART], "no beginning"),
        ([_START, _END, _END], "goes on after its end"),
    ],
)
async def test_wrong_answers(
    messages: Sequence[Any], finding: str, broken: Callable[..., Awaitable[str]], context: Context
) -> None:
    """What is no answer is found."""
    assert finding in await broken(RouteConformance().test_answers, saying(*messages)(context))


async def test_raises(context: Context) -> None:
    """So is what is raised."""
    with pytest.raises(KeyError, match="/route"):
        await RouteConformance().test_answers(raising(context))


async def test_leaves(broken: Callable[..., Awaitable[str]], context: Context) -> None:
    """So is what a request has left that was cancelled."""
    assert "something is left of it" in await broken(RouteConformance().test_cancelled, leaving(context))
