"""The one layer before every route: who may come in, with how much, and what every answer says."""

from __future__ import annotations

import logging
from collections import Counter
from http import HTTPStatus

from observatory import Asgi, AsgiApp, Context, Identity, ObservatoryError, Presence, UnauthorizedError
from observatory_http.server.answers import RefusedError, refusal
from observatory_http.server.body import Body, too_large
from observatory_http.server.connections import Connection, Receive, Send
from observatory_http.server.pages import Headers, answer_preflight, is_preflight, told_to_page, values_of
from observatory_http.settings import HttpSettings

_log = logging.getLogger("observatory.http")

OPEN = ("/healthz", "/readyz")
"""What needs no token: it tells nothing but whether all is well."""

_WITH_BODY = ("POST", "PUT", "PATCH")
"""Methods whose body has to be JSON, which no form of a page can send."""

_OF_A_BODY = (b"content-length", b"transfer-encoding")
"""Headers that announce one."""


class Gate:
    """Lets requests in.

    Args:
        context: what the service was handed.
        settings: the bounds.
        site: what is behind it.
    """

    def __init__(self, context: Context, settings: HttpSettings, site: AsgiApp) -> None:
        self.site = site
        """What is behind it."""
        self.port = 0
        """Of the door, as a Host header says it."""
        self.requests = 0
        """Requests that were let in."""
        self.refused: Counter[int] = Counter()
        """Requests that were not, by status."""
        self._security = context.security
        self._settings = settings
        self._modules = context.modules

    async def handle(self, connection: Connection, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer a request of a connection."""
        if scope["type"] != "http":  # a websocket, which is another door
            self.refused[HTTPStatus.FORBIDDEN] += 1
            await send({"type": "websocket.close"})
            return
        body, answering = Body(receive, connection.stream, self._settings), _Answering(send)
        connection.stream.unread = any(name in _OF_A_BODY for name, _ in scope["headers"])
        try:
            await self._answer(connection, scope, body, answering)
        finally:
            connection.stream.unread &= not body.complete

    async def _answer(self, connection: Connection, scope: Asgi, body: Body, answering: _Answering) -> None:
        try:
            self._check_sender(scope)
            answering.headers = told_to_page(scope["headers"])
            if is_preflight(scope):
                await answer_preflight(scope["headers"])(scope, body.receive, answering.send)
                return
            self._let_in(connection, scope)
            self.requests += 1
            await self.site(scope, body.receive, answering.send)
        except Exception as error:  # one of the four edges: a connection
            known = isinstance(error, RefusedError | ObservatoryError)
            if not known:
                _log.error("%s %.200r has failed", scope["method"], scope["path"], exc_info=error)
            if answering.begun:
                raise
            response = refusal(error)
            self.refused[response.status_code] += 1
            await response(scope, body.receive, answering.send)

    def _check_sender(self, scope: Asgi) -> None:
        """See that it is for us, and that no page has sent it that must not.

        Raises:
            ObservatoryError, RefusedError: it is not let in.
        """
        headers = scope["headers"]
        self._security.check_host(values_of(headers, b"host"), self.port)
        self._security.check_origin(values_of(headers, b"origin"))
        if not scope["raw_path"].startswith(b"/") or _climbs(scope["path"]):
            reason = f"expected a path without . and .. in it, such as /api/health, got {scope['path']!r:.200}"
            raise RefusedError(HTTPStatus.BAD_REQUEST, reason)

    def _let_in(self, connection: Connection, scope: Asgi) -> None:
        """See who asks for what.

        Raises:
            ObservatoryError, RefusedError: it is not let in.
        """
        headers = scope["headers"]
        if scope["path"] not in OPEN:
            scope["state"]["identity"] = identity = self._identify(headers)
            connection.belong_to(identity)
        _check_kind(scope["method"], headers)
        for size in values_of(headers, b"content-length"):
            if int(size) > self._settings.max_body_bytes:
                raise too_large(self._settings.max_body_bytes)

    def _identify(self, headers: Headers) -> Identity:
        token = self._security.bearer(values_of(headers, b"authorization"))
        if token is None:
            raise UnauthorizedError
        identity = self._security.identify(token)
        self._security.admit(identity)
        presence = self._modules.get("Presence")  # always there where an Observatory is open
        if identity.name is not None and isinstance(presence, Presence):
            presence.hear(identity.name)
        return identity


class _Answering:
    """Sends an answer.

    Args:
        send: takes it.
    """

    def __init__(self, send: Send) -> None:
        self.begun = False
        """Whether something of it was sent."""
        self.headers: Headers = ()
        """What its head says beside what it says itself."""
        self._send = send

    async def send(self, message: Asgi) -> None:
        """Send a part."""
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [*message.get("headers", ()), *self.headers]
        await self._send(message)


def _climbs(path: str) -> bool:
    """Return whether somebody on the way could take a path for another one."""
    return "/." in path and any(part in (".", "..") for part in path.split("/"))


def _check_kind(method: str, headers: Headers) -> None:
    """See that what is sent says that it is JSON."""
    if method not in _WITH_BODY:
        return
    kinds = [value.partition(b";")[0].strip().lower() for value in values_of(headers, b"content-type")]
    if kinds != [b"application/json"]:
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected the header Content-Type: application/json")
    if any(value.strip().lower() != b"identity" for value in values_of(headers, b"content-encoding")):
        reason = "nothing is decompressed here; send it without the header Content-Encoding"
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, reason, Accept_Encoding="identity")
