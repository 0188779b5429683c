"""Opening a client: where the service is, and with which token."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import trio

from observatory import (
    Client,
    InvalidInputError,
    Settings,
    UnauthorizedError,
    UnreachableError,
    read_service,
    token_for,
)
from observatory_websocket.client.client import WebSocketClient
from observatory_websocket.client.session import Address, Locate, Session

_DOOR = "websocket"
_TOKEN = "OBSERVATORY_TOKEN"  # noqa: S105 -- the name of the variable


@asynccontextmanager
async def open_client(
    url: str | None = None,
    *,
    token: str | None = None,
    root: str | Path | None = None,
    identity: str | None = None,
) -> AsyncIterator[WebSocketClient]:
    """Open a client for the time of an `async with` block.

    A connection that is lost comes back by itself, as often as needed. Subscriptions go on with what was missed, or a
    gap; reads are asked again; a send in hand raises `OutcomeUnknownError`, unless it has an idempotency key: then it
    is sent again, and counts once.

    Args:
        url: where the service is, such as `ws://127.0.0.1:41234/`; by default what stands in the root's `service.json`.
        token: by default the variable `OBSERVATORY_TOKEN`, or else, with a root, what stands there.
        root: whose service, where no URL is given; by default as for `Settings`.
        identity: an agent's name: connect as that agent, with a token that is made of the service's own.

    Raises:
        InvalidInputError: the arguments do not go together.
        UnreachableError: no service can be reached.
        UnauthorizedError, ForbiddenError: it does not let this client in.
    """
    session = Session(_locate(url, token or os.environ.get(_TOKEN), root, identity))
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(session.run)
            try:
                yield WebSocketClient(session)
            finally:
                session.close()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _only(group) from None


def connect(root: Path) -> AbstractAsyncContextManager[Client]:
    """Open a client for the service that runs on a root, also after that was started again: the connector."""
    return open_client(root=root)


def _locate(url: str | None, token: str | None, root: str | Path | None, identity: str | None) -> Locate:
    if url is not None and (root is not None or identity is not None):
        raise InvalidInputError("url", "goes with a token; root and identity find the service by themselves")
    if url is None:
        where = Path(root) if root is not None else Settings().root
        return lambda: _find(where, token, identity)
    if not isinstance(url, str) or not url.startswith(("ws://", "wss://")):
        raise InvalidInputError("url", f"expected one that begins with ws:// or wss://, got {url!r:.80}")
    if token is None:
        raise UnauthorizedError
    address = Address(url, token)

    async def here() -> Address:
        await trio.lowlevel.checkpoint()
        return address

    return here


async def _find(root: Path, token: str | None, identity: str | None) -> Address:
    service = await trio.to_thread.run_sync(read_service, root)
    if service is None or _DOOR not in service.doors:
        raise UnreachableError(str(root), "no service runs on this root; start one with `observatory serve`")
    if identity is not None:
        token = token_for(service.token, identity)
    return Address(service.doors[_DOOR], token or service.token)


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what the block has raised as it is, and a group only where there is more than that."""
    rest: BaseException | None = group.split(trio.Cancelled)[1]
    if rest is None:
        return group
    while isinstance(rest, BaseExceptionGroup) and len(rest.exceptions) == 1:
        rest = rest.exceptions[0]
    return rest
