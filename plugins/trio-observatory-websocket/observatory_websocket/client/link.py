"""One connection: from the socket to what is asked over it, and the events that come in between."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import SplitResult, urlsplit

import attrs
import orjson
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from observatory import ForbiddenError, InvalidInputError, ObservatoryError, UnauthorizedError, UnreachableError
from observatory_websocket.client.calls import Calls

_log = logging.getLogger("observatory.websocket")

_PATIENCE = 10.0
"""Seconds that connecting may take."""
_PING = 20.0
"""Seconds between two pings, and those after which a connection that does not answer is dead."""
_MAX_ANSWER = 64 * 1024 * 1024
_READ = 64 * 1024
_TOO_BIG = 1009
_MAX_MESSAGE, _RUN, _DURABILITY = b"observatory-max-message", b"observatory-run", b"observatory-durability"
_PORTS = {"ws": 80, "wss": 443}


@attrs.frozen
class Address:
    """Where the service is."""

    url: str
    """Such as `ws://127.0.0.1:41234/`."""
    token: str = attrs.field(repr=False)
    """What it is told."""
    certificate: str | None = attrs.field(default=None, repr=False)
    """The only certificate to trust, as PEM; None for those that authorities vouch for."""
    ssl_context: ssl.SSLContext | None = None
    """What to trust instead of either."""


def split_url(url: object) -> SplitResult:
    """Take a URL apart.

    Raises:
        InvalidInputError: it is not one of a websocket.
    """
    if isinstance(url, str):
        try:
            parts = urlsplit(url)
            if parts.username is not None or parts.query or parts.fragment:
                reason = "has a user or a query, which end up in logs; a token goes by itself: token=…"
                raise InvalidInputError("url", reason)
            if parts.scheme in _PORTS and parts.hostname and parts.port != 0:
                return parts
        except ValueError:
            pass  # such as a port that is none
    raise InvalidInputError("url", f"expected one such as ws://127.0.0.1:41234/ or wss://…, got {url!r:.80}")


class Link:
    """One connection.

    Args:
        address: where to, and the token.
        calls: what is asked.
        notify: takes the parameters of each event, and the bytes that it came in.
    """

    def __init__(self, address: Address, calls: Calls, notify: Callable[[Mapping[str, Any], int], None]) -> None:
        self._address = address
        self._calls = calls
        self._notify = notify
        self._max_request: float = float("inf")

    async def run(self, connected: Callable[[trio.Nursery], AbstractContextManager[None]]) -> None:
        """Connect, and serve until the connection is lost.

        Args:
            connected: entered for as long as there is a connection, with a nursery whose tasks end with it.

        Raises:
            UnreachableError: there was no connection, or it did not go as websockets, or our service, do.
            UnauthorizedError, ForbiddenError: the service does not let this client in.
            InvalidInputError: the URL's host can be none.
        """
        stream = await self._open_stream()
        socket: WebSocketConnection | None = None
        failure: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                socket = await self._shake_hands(stream, nursery)
                if socket is not None:
                    with connected(nursery):
                        await self._serve(socket, nursery)
                nursery.cancel_scope.cancel()
        except* Exception as group:  # noqa: BLE001 -- one of the four edges: a connection
            failure = group.exceptions[0]
        finally:
            await trio.aclose_forcefully(stream)  # noqa: ASYNC102 -- does not wait
            if socket is not None:
                self._calls.lose(too_big=socket.closed is not None and socket.closed.code == _TOO_BIG)
        if isinstance(failure, ConnectionRejected):
            raise self._refusal(failure) from failure
        if socket is None:
            raise UnreachableError(self._address.url, "no websocket could be agreed on") from failure
        if failure is not None:
            _log.error("the connection to %s has failed", self._address.url, exc_info=failure)
            raise UnreachableError(self._address.url, "the connection has failed") from failure

    async def _open_stream(self) -> _EndingStream:
        parts = split_url(self._address.url)
        host = parts.hostname or ""
        try:
            with trio.fail_after(_PATIENCE):
                stream = await trio.open_tcp_stream(host, parts.port or _PORTS[parts.scheme])
                return _EndingStream(stream if parts.scheme == "ws" else await self._secure(stream, host))
        except UnicodeError as error:
            raise InvalidInputError("url", f"{host!r:.80} is no name of a host: {_reason_of(error)}") from error
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            raise UnreachableError(self._address.url, _reason_of(error)) from error

    async def _secure(self, stream: trio.SocketStream, host: str) -> trio.abc.Stream:
        try:
            context = self._address.ssl_context
            if context is None:
                context = await trio.to_thread.run_sync(_context, self._address.certificate)
            secure = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
            await secure.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)  # noqa: ASYNC102 -- does not wait
            raise
        return secure

    async def _shake_hands(self, stream: _EndingStream, nursery: trio.Nursery) -> WebSocketConnection | None:
        """Ask for the websocket; None where the other side has ended the connection, or takes too long."""
        parts = split_url(self._address.url)
        host = parts.netloc.rpartition("@")[2]
        resource = parts._replace(scheme="", netloc="", path=parts.path or "/", fragment="").geturl()
        headers = [(b"Authorization", b"Bearer " + self._address.token.encode())]
        socket: WebSocketConnection | None = None
        with trio.move_on_after(_PATIENCE):
            async with trio.open_nursery() as watching:
                watching.start_soon(_cancel_at, stream.ended, watching.cancel_scope)
                socket = await wrap_client_stream(
                    nursery,
                    stream,  # type: ignore[arg-type]  # any stream will do
                    host,
                    resource,
                    extra_headers=headers,
                    max_message_size=_MAX_ANSWER,
                    receive_buffer_size=_READ,
                    message_queue_size=16,
                )
                watching.cancel_scope.cancel()
        return socket

    async def _serve(self, socket: WebSocketConnection, nursery: trio.Nursery) -> None:
        told = dict(socket.handshake_headers)
        if _MAX_MESSAGE in told:
            self._max_request = int(told[_MAX_MESSAGE])
        self._calls.connect(told.get(_RUN), lasting=told.get(_DURABILITY) != b"memory")
        nursery.start_soon(self._write, socket)
        nursery.start_soon(self._keep_alive, socket, nursery.cancel_scope)
        try:
            while True:
                self._take(await socket.get_message())
        except ConnectionClosed:
            pass

    async def _write(self, socket: WebSocketConnection) -> None:
        """Write what is asked. It is done here, since a call that is cancelled must not cut a frame off."""
        try:
            while True:
                call = await self._calls.next()
                if len(call.data) > self._max_request:
                    call.fail(InvalidInputError("params", self._too_large(len(call.data))))
                else:
                    await socket.send_message(call.data.decode())
        except ConnectionClosed:
            pass  # whoever reads hears of it, too

    def _too_large(self, size: int) -> str:
        return (
            f"the request has {size:,} bytes as JSON, in which quotes, line breaks and the like take several; this "
            f"service takes {self._max_request:,}: send less, or raise max_frame_bytes in its [plugins.websocket]"
        )

    async def _keep_alive(self, socket: WebSocketConnection, connection: trio.CancelScope) -> None:
        """Ping, and end a connection that does not answer in time."""
        while True:
            await trio.sleep(_PING)
            with trio.move_on_after(_PING) as patience:  # noqa: ASYNC912 -- a ping waits for its answer
                try:
                    await socket.ping()
                except ConnectionClosed:
                    return
            if patience.cancelled_caught:
                _log.warning("%s does not answer any more", self._address.url)
                connection.cancel()

    def _take(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        message = orjson.loads(data)
        if message.get("method") == "topics.event":
            self._notify(message["params"], len(data))
        else:
            self._calls.take(message)

    def _refusal(self, error: ConnectionRejected) -> ObservatoryError:
        reason = (error.body or b"").decode(errors="replace").strip() or f"HTTP status {error.status_code}"
        if error.status_code == 401:
            return UnauthorizedError()
        if error.status_code == 403:
            return ForbiddenError(reason)
        return UnreachableError(self._address.url, reason)


class _EndingStream(trio.abc.Stream):
    """A stream that tells of its end: trio-websocket would wait on for a handshake that will not come any more."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.ended = trio.Event()
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = b""
        try:
            data = bytes(await self._stream.receive_some(max_bytes))
        finally:
            if not data:
                self.ended.set()
        return data

    async def aclose(self) -> None:
        self.ended.set()
        await self._stream.aclose()


def _context(certificate: str | None) -> ssl.SSLContext:
    """Trust what authorities vouch for, whom files of the system name, or one certificate, whatever stands in it."""
    context = ssl.create_default_context(cadata=certificate)
    if certificate is not None:
        context.check_hostname = False
        context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


async def _cancel_at(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _reason_of(error: BaseException) -> str:
    """Say what went wrong in one line: of what a library has wrapped, the inmost that has a text."""
    if isinstance(error, trio.TooSlowError):
        return f"it does not answer within {_PATIENCE:g} s"
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{cause}; give an ssl_context that trusts it"
    text = str(cause or error) or str(error)
    return text or type(error).__name__
