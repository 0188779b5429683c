"""Opening a client: where the service is, and with which token."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult

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
from observatory_websocket.client.link import Address, split_url
from observatory_websocket.client.session import Locate, Session

_DOOR = "websocket"
_TOKEN = "OBSERVATORY_TOKEN"  # noqa: S105 -- the name of the variable


@asynccontextmanager
async def open_client(
    url: str | None = None,
    *,
    token: str | None = None,
    root: str | Path | None = None,
    identity: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[WebSocketClient]:
    """Open a client for the time of an `async with` block.

    A connection that is lost comes back by itself, as often as needed. Subscriptions go on with what was missed, or a
    gap; reads are asked again; a send in hand raises `OutcomeUnknownError`, unless it has an idempotency key: then it
    is sent again, and counts once. That, and acknowledging again, needs a service that remembers: where it was started
    again meanwhile and its storage is `memory`, they raise `OutcomeUnknownError`, too. An exception of the block comes
    out as itself.

    Args:
        url: where the service is, such as `ws://127.0.0.1:41234/`, on another machine `wss://…`; by default what stands
            in the root's `service.json`.
        token: by default the variable `OBSERVATORY_TOKEN`, or else, with a root, what stands there.
        root: whose service, where no URL is given; by default as for `Settings`.
        identity: an agent's name: connect as that agent, with a token that is made of the service's own.
        ssl_context: what to trust where the URL begins with `wss`; by default what authorities vouch for that the
            system knows, or, with a root, the very certificate that stands in `service.json`.

    Raises:
        InvalidInputError: the arguments are not allowed, or do not go together.
        UnreachableError: no service can be reached.
        UnauthorizedError, ForbiddenError: it does not let this client in.
    """
    session = Session(_locate(url, token, root, identity, ssl_context))
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(session.run)
            try:
                yield WebSocketClient(session, nursery)
            except BaseException as error:  # noqa: ASYNC103 -- raised below
                raised = error
                if _holds_cancelled(error):  # else the nursery, which would wrap it, has nothing to do with it
                    raise
            finally:
                session.close()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raised = _unwrap(group, raised)
    if raised is not None:
        raise raised


def connect(root: Path, identity: str | None) -> AbstractAsyncContextManager[Client]:
    """Open a client for the service that runs on a root, also after that was started again: the connector."""
    return open_client(root=root, identity=identity)


def _locate(
    url: str | None,
    token: str | None,
    root: str | Path | None,
    identity: str | None,
    ssl_context: ssl.SSLContext | None,
) -> Locate:
    if url is not None and (root is not None or identity is not None):
        raise InvalidInputError("url", "goes with a token; root and identity find the service by themselves")
    if token is not None and identity is not None:
        raise InvalidInputError("identity", "its token is made of the service's own; leave token out")
    if not isinstance(ssl_context, ssl.SSLContext | None):
        raise InvalidInputError("ssl_context", f"expected an ssl.SSLContext, got {type(ssl_context).__name__}")
    token = _checked(token or os.environ.get(_TOKEN) or None)
    if url is None:
        where = Settings().root if root is None else Settings(root=root).root
        return lambda: _find(where, token, identity, ssl_context)
    _check_private(split_url(url))
    if token is None:
        raise UnauthorizedError
    address = Address(url, token, None, ssl_context)

    async def here() -> Address:
        await trio.lowlevel.checkpoint()
        return address

    return here


async def _find(root: Path, token: str | None, identity: str | None, ssl_context: ssl.SSLContext | None) -> Address:
    service = await trio.to_thread.run_sync(read_service, root)
    if service is None:
        raise UnreachableError(str(root), "no service runs on this root; start one with `observatory serve`")
    if _DOOR not in service.doors:
        reason = f"the service on this root, process {service.pid}, has no websocket: it begins, or lacks the plugin"
        raise UnreachableError(str(root), reason)
    if identity is not None:
        token = token_for(service.token, identity)
    return Address(service.doors[_DOOR], token or service.token, service.certificate, ssl_context)


def _checked(token: str | None) -> str | None:
    """Check that a token can stand in a header.

    Raises:
        InvalidInputError: it cannot; it is not shown.
    """
    if token is None or (isinstance(token, str) and token.isascii() and token.isprintable()):
        return token
    raise InvalidInputError("token", "expected printable ASCII characters, as they stand in service.json")


def _check_private(url: SplitResult) -> None:
    """Check that nobody on the way can read the token.

    Raises:
        InvalidInputError: it would go to another machine in the clear.
    """
    host = url.hostname or ""
    with suppress(ValueError):  # it is a name
        if url.scheme == "wss" or host == "localhost" or ip_address(host).is_loopback:
            return
    raise InvalidInputError("url", f"ws:// would send the token to {host!r:.80} in the clear; use wss://, that is TLS")


def _unwrap(group: BaseExceptionGroup[BaseException], raised: BaseException | None) -> BaseException:
    """Find what the block has raised, or the opening; a group only where there is more than that."""
    failures = [one for one in group.exceptions if not _is_cancellation(one)]
    if raised is not None and not _holds_cancelled(raised):
        failures.insert(0, raised)
    if len(failures) > 1:
        return group
    return raised if raised is not None and not _is_cancellation(raised) else (*failures, raised or group)[0]


def _holds_cancelled(error: BaseException) -> bool:
    return BaseExceptionGroup("", [error]).subgroup(trio.Cancelled) is not None


def _is_cancellation(error: BaseException) -> bool:
    return BaseExceptionGroup("", [error]).split(trio.Cancelled)[1] is None
