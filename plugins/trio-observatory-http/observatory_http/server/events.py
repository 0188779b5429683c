"""Hook events: what the programs of coding agents tell of themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response

from observatory import Context, HookEvent, Identity, InvalidInputError, Mailbox, ObservatoryError
from observatory_http.server.answers import answer
from observatory_http.server.body import read_all
from observatory_http.server.json_data import read_json, replaced
from observatory_http.server.offers import Offers
from observatory_http.settings import HttpSettings

_LARGE = 64 * 1024
"""Bytes of an event that another thread reads, so that nobody waits for that."""

_OF_OBJECT, _OF_LIST, _OF_VALUE = 240, 90, 64
"""Bytes that CPython takes for the smallest of each that has something in it."""

_REDACTED = "[redacted]"

_TAKEN = Response(status_code=HTTPStatus.NO_CONTENT)

_is_session = re.compile(r"[!-~]{1,200}(?<!:\*)").fullmatch
_is_event = re.compile(r"[!-~]{1,100}").fullmatch


class Events:
    """Publishes them, and answers with mail where that may be.

    Args:
        context: what the service was handed.
        settings: what is redacted, and whether mail is offered.
    """

    def __init__(self, context: Context, settings: HttpSettings) -> None:
        self._context = context
        self._patterns = [re.compile(pattern) for pattern in settings.redact]
        self._offers = Offers(context, brings=settings.offer_mail)
        self._turn = trio.Lock()  # while a large one is read: others wait for it, so that the order stays
        self._accepted = 0
        self._refused = 0
        self._redacted = 0

    def statistics(self) -> Mapping[str, int]:
        """Return how many were published, refused and redacted, and how many messages their answers have brought."""
        return {
            "accepted": self._accepted,
            "refused": self._refused,
            "redacted": self._redacted,
            "offered": self._offers.count,
        }

    async def take(self, request: Request) -> Response:
        """Publish an event, and answer with unread mail, or with nothing."""
        body = await read_all(request.receive)
        identity: Identity = request.scope["state"]["identity"]
        try:
            agent = self._agent_of(identity, request)
            if len(body) <= _LARGE and not self._turn.locked():
                event = self._publish(body, self._read(body), agent, identity)
            else:
                async with self._turn:
                    data = await trio.to_thread.run_sync(self._read, body)
                    event = self._publish(body, data, agent, identity)
        except ObservatoryError:
            self._refused += 1
            raise
        text = await self._offers.offer(event, request.is_disconnected)
        if text is None:
            return _TAKEN
        return answer({"hookSpecificOutput": {"hookEventName": event.name, "additionalContext": text}})

    def _publish(self, body: bytes, data: dict[str, Any], agent: str | None, identity: Identity) -> HookEvent:
        event = HookEvent(data["hook_event_name"], data["session_id"], self._context.clock.now(), agent, data)
        size, publish = _bytes_kept(body), self._context.pubsub.publish
        publish("events:stream", event, size=size, verified=identity.verified)
        publish(f"session:{event.session_id}", event, size=size, verified=identity.verified)
        self._accepted += 1
        return event

    def _agent_of(self, identity: Identity, request: Request) -> str | None:
        """Return whose program it is, as far as that is known: whom the token names, or whom its owner does."""
        if not request.scope["query_string"]:
            return identity.name
        names = [name for name, _ in request.query_params.multi_items()]
        if names != ["agent"]:
            raise InvalidInputError("params", f"expected nothing but one agent, got {', '.join(names)!r:.80}")
        named = request.query_params["agent"]
        identity.check_acts_as(named)
        self._context.module(Mailbox).unread_count(named)  # which looks at the name
        return named

    def _read(self, body: bytes) -> dict[str, Any]:
        """Read an event.

        Raises:
            InvalidInputError: it is none.
        """
        data = read_json(body)
        if not isinstance(data, dict):
            raise InvalidInputError("$", "expected an object, as the hooks of coding agents send it")
        _check(data, "session_id", _is_session, "1 to 200 visible characters of ASCII, not `:*` at the end")
        _check(data, "hook_event_name", _is_event, "1 to 100 visible characters of ASCII, such as PreToolUse")
        if not self._patterns:
            return data
        kept = {name: data[name] for name in ("session_id", "hook_event_name")}
        cleaned: dict[str, Any] = replaced(data, self._clean)
        self._redacted += cleaned != data
        return cleaned | kept

    def _clean(self, text: str) -> str:
        for pattern in self._patterns:
            text = pattern.sub(_REDACTED, text)
        return text


def _bytes_kept(body: bytes) -> int:
    """Return how many bytes an event may keep alive: what stands in it takes more than it has letters."""
    return len(body) + _OF_OBJECT * body.count(b"{") + _OF_LIST * body.count(b"[") + _OF_VALUE * body.count(b",")


def _check(data: Mapping[str, Any], name: str, is_one: Any, words: str) -> None:
    value = data.get(name)
    if value is None:
        raise InvalidInputError(f"$.{name}", f"required, but missing: {words}")
    if not isinstance(value, str) or not is_one(value):
        raise InvalidInputError(f"$.{name}", f"expected {words}, got {value!r:.80}")
