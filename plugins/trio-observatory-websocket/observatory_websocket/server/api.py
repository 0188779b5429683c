"""What can be asked for: the library's methods under the names that they have on the wire."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from observatory import (
    ClosedError,
    Context,
    DeliveryRecord,
    Exposed,
    ForbiddenError,
    Identity,
    InvalidInputError,
    Mailbox,
    Module,
    Note,
    Notes,
    Operation,
    Overview,
    Presence,
    Service,
    UnauthorizedError,
    UnknownNameError,
)
from observatory_websocket.server import rpc
from observatory_websocket.server.answers import LetterPage, NotePage, Subscribed, letters_of, notes_of
from observatory_websocket.server.caller import Caller
from observatory_websocket.server.mailboxes import Mailboxes

_SHOWN = 200
"""Characters of a name that somebody has made up."""


class Api:
    """The methods of one service.

    Args:
        context: what the service was handed.
    """

    AUTHENTICATE = "observatory.authenticate"

    def __init__(self, context: Context) -> None:
        self._context = context
        presence = context.modules.get("Presence")  # always there where an Observatory is open
        self._presence = presence if isinstance(presence, Presence) else None
        self._mailboxes = Mailboxes(context)
        methods = {**self._mailboxes.methods(), **self._methods()}
        self._operations = {name: _operation(function, name) for name, function in methods.items()}
        self._personal = {one for one in self._operations.values() if one.left_out}
        self._modules = Exposed("module", context.module)
        self._services = Exposed("service", context.service)

    def _methods(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "deliveries.get": self.deliveries,
            "dead_letters.list": self.dead_letters,
            "dead_letters.redeliver": self.redeliver,
            "notes.add": self.add_note,
            "notes.get": self.get_note,
            "notes.list": self.list_notes,
            "notes.delete": self.delete_note,
            "modules.call": self.call_module,
            "services.call": self.call_service,
            "health.get": self.health,
            "statistics.get": self.statistics,
            "plugins.list": self.plugins,
            "topics.epoch": self.epoch,
            "topics.subscribe": self.subscribe,
            "topics.unsubscribe": self.unsubscribe,
            "observatory.describe": self.describe,
        }

    async def call(self, request: rpc.Request, caller: Caller) -> dict[str, Any]:
        """Carry out a request and return the answer to it.

        Raises:
            ObservatoryError: it is refused, or has failed.
        """
        self.admit(caller.identity)
        operation = self._operations.get(request.method)
        if operation is None:
            return request.unknown(UnknownNameError("method", request.method[:_SHOWN], self._operations))
        given = {"caller": caller} if operation in self._personal else {}
        return request.result(await operation.call(request.params, **given))

    def admit(self, identity: Identity) -> None:
        """Count a request, which an agent has made.

        Raises:
            RateLimitError: it has asked for more than it may.
        """
        self._context.security.admit(identity)
        if identity.name is not None and self._presence is not None:
            self._presence.hear(identity.name)

    def present(self, identity: Identity) -> AbstractContextManager[None]:
        """Let it be known, for the time of a block, that an agent is there."""
        if identity.name is None or self._presence is None:
            return nullcontext()
        return self._presence.staying(identity.name)

    def authenticate(self, params: Any) -> Identity:
        """Find out who has sent a token.

        Raises:
            UnauthorizedError: it is wrong, or there is none.
        """
        token = params.get("token") if isinstance(params, dict) else None
        if not isinstance(token, str):
            raise UnauthorizedError
        return self._context.security.identify(token)

    @property
    def _observatory(self) -> Overview:
        if self._context.observatory is None:
            raise ClosedError("no Observatory is open here")
        return self._context.observatory

    @property
    def _notes(self) -> Notes:
        return self._context.module(Notes)

    def deliveries(self, id: str) -> Sequence[DeliveryRecord]:
        """Return how far each delivery channel has come with a message."""
        return self._observatory.deliveries(id)

    def dead_letters(self, *, after: str | None = None) -> LetterPage:
        """List the deliveries that were given up, oldest first, as many as an answer holds."""
        return letters_of(self._observatory.dead_letters(), after)

    async def redeliver(self, ids: Collection[str] | None = None, *, caller: Caller) -> int:
        """Try dead letters again: those of these messages, or all; return how many were handed to their lanes."""
        if caller.identity.name is not None:
            raise ForbiddenError("only the holder of the service's own token may have dead letters delivered again")
        return await self._observatory.redeliver(ids)

    async def add_note(self, key: str, text: str) -> Note:
        """Write the note of a key, over an earlier one."""
        return await self._notes.add_note(key, text)

    def get_note(self, key: str) -> Note | None:
        """Return the note of a key."""
        return self._notes.get_note(key)

    def list_notes(self, *, after: str = "") -> NotePage:
        """List notes by key, as many as an answer holds."""
        return notes_of(self._notes.list_notes(), after)

    async def delete_note(self, key: str) -> bool:
        """Delete the note of a key; return whether there was one."""
        return await self._notes.delete_note(key)

    async def call_module(
        self,
        module: str,
        method: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        caller: Caller,
    ) -> Any:
        """Call a method that a plugin's module exposes; `observatory.describe` lists them."""
        return await self._modules.call(module, method, params, identity=caller.identity)

    async def call_service(
        self,
        service: str,
        method: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        caller: Caller,
    ) -> Any:
        """Call a method that a plugin's service exposes; `observatory.describe` lists them."""
        return await self._services.call(service, method, params, identity=caller.identity)

    def health(self) -> Any:
        """Return the state of every module, lane and service."""
        return self._observatory.health()

    def statistics(self) -> Any:
        """Return the figures of everything."""
        return self._observatory.statistics()

    def plugins(self) -> Any:
        """List what is known of every plugin."""
        return self._observatory.plugins()

    def epoch(self) -> str:
        """Return what changes at every start; sequence numbers and positions of different epochs do not compare."""
        return self._context.pubsub.epoch

    def subscribe(
        self, topic: str, *, since: int | None = None, epoch: str | None = None, snapshot: bool = False, caller: Caller
    ) -> Subscribed:
        """Follow a topic, or with `prefix:*` all that begin so; with `since` and its `epoch` first what was missed.

        With a snapshot, the state that the topic tells of comes with the answer, and the events are what followed.
        """
        if since is not None and epoch is None:
            raise InvalidInputError(
                "params.epoch",
                "required with since: the epoch in which that was seen, as each event and answer says it",
            )
        if snapshot and since is not None:
            raise InvalidInputError(
                "params.snapshot", "there is none with since: events since then, or state and what follows"
            )
        state = self._snapshot(topic) if snapshot else None  # before the rest: when it fails, nothing has begun
        caller.followers.append(caller.following.subscribe(topic, since, epoch))
        pubsub = self._context.pubsub
        return Subscribed(topic, pubsub.epoch, pubsub.newest(topic), state)

    def unsubscribe(self, topic: str, *, caller: Caller) -> bool:
        """Follow a topic or pattern no more; return whether it was followed."""
        return caller.following.unsubscribe(topic)

    def describe(self) -> dict[str, Any]:
        """Return every method with JSON Schema of what it takes and gives, and the codes of errors."""
        return {
            "methods": {name: operation.schema() for name, operation in self._operations.items()},
            "modules": _schemas(self._modules, self._context.modules),
            "services": _schemas(self._services, self._context.services),
            "errors": dict(rpc.CODES),
        }

    def _snapshot(self, topic: str) -> Any:
        """Return the state of which a topic tells the changes; nothing is published before the subscription begins.

        Raises:
            InvalidInputError: this topic tells of no state.
        """
        if topic == "notes:update":
            return self._notes.list_notes()
        if topic == "health:update":
            return self._observatory.health()
        if topic == "agent:*":
            return self._context.module(Mailbox).get_stats()
        if topic.startswith("agent:"):
            return self._mailboxes.messages(topic.removeprefix("agent:"), unread_only=True)
        raise InvalidInputError(
            "params.snapshot", f"{topic!r:.80} has none; agent:NAME, agent:*, notes:update and health:update have"
        )


def _schemas(exposed: Exposed, parts: Mapping[str, Module] | Mapping[str, Service]) -> dict[str, Any]:
    """Return the schemas of all that parts expose, by part and method."""
    return {
        name: {method: exposed.operation(name, method).schema() for method in part.exposes}
        for name, part in parts.items()
    }


def _operation(function: Callable[..., Any], name: str) -> Operation:
    """Make an operation of a method; those that have a parameter for it are told who asks."""
    personal = {"caller"}.intersection(inspect.signature(function).parameters)
    return Operation(function, name=name, leave_out=personal)
