"""The first message of a connection whose request had no token: it says who is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from trio_websocket import WebSocketConnection

from observatory import Identity, ObservatoryError, UnauthorizedError
from observatory_websocket.server import rpc
from observatory_websocket.server.api import Api


async def read_identity(
    socket: WebSocketConnection, api: Api, write: Callable[[bytes], Awaitable[None]]
) -> Identity | None:
    """Read it, and answer; None when it says nothing of the kind, or has a wrong token.

    Raises:
        ConnectionClosed: nothing comes any more.
    """
    try:
        request = rpc.read(await socket.get_message())
    except rpc.BadRequestError as error:
        await write(rpc.write(error.answer()))
        return None
    if isinstance(request, list):
        return None
    identity = None
    try:
        if request.method != Api.AUTHENTICATE:
            raise UnauthorizedError
        identity = api.authenticate(request.params)
        answer = request.result({"identity": identity.name})
    except ObservatoryError as error:
        answer = request.failure(error)
    if request.answered:
        await write(rpc.write(answer))
    return identity
