"""What can be asked for: the library's methods under the names that they have on the wire."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs
import trio

from observatory import (
    ClosedError,
    Context,
    DeadLetter,
    DeliveryRecord,
    ForbiddenError,
    Identity,
    InvalidInputError,
    Mailbox,
    Message,
    Note,
    Notes,
    ObservatoryError,
    Operation,
    Overview,
    Receipt,
    UnauthorizedError,
    UnknownNameError,
)
from observatory_websocket.server import rpc
from observatory_websocket.server.answers import Check, MailboxFigures, Page, Subscribed, check_of, page_of
from observatory_websocket.server.following import Follower, Following
from observatory_websocket.server.listening import Listening

DOOR = "websocket"
"""The name of the service in `service.json`, and of the delivery channel."""


@attrs.frozen
class Caller:
    """Who asks, and over which connection."""

    identity: Identity
    """Who it is."""
    following: Following
    """What the connection follows."""
    listening: Listening
    """For whose mail it listens."""
    followers: list[Follower] = attrs.field(factory=list)
    """What it has begun to follow with this request."""

    def acts_as(self, name: str | None) -> str:
        """Return in whose name something is done: by default its own.

        Raises:
            ForbiddenError: it cannot act in that name.
            InvalidInputError: it says no name, and has none of its own.
        """
        if name is not None:
            self.identity.check_acts_as(name)
            return name
        if self.identity.name is None:
            raise InvalidInputError("params.from", "is missing, and this connection's token names nobody")
        return self.identity.name


class Api:
    """The methods of one service.

    Args:
        context: what the service was handed.
    """

    AUTHENTICATE = "observatory.authenticate"
    CANCEL = "observatory.cancel"
    WAITING = frozenset(("mailbox.receive", "mailbox.request"))
    """What waits for somebody else, for as long as that takes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._operations = {name: _operation(function, name) for name, function in self._all()}
        self._personal = {one for one in self._operations.values() if one.left_out}
        self._exposed: dict[tuple[str, str], Operation] = {}

    def _all(self) -> list[tuple[str, Callable[..., Any]]]:
        return [
            ("mailbox.send", self.send),
            ("mailbox.broadcast", self.broadcast),
            ("mailbox.request", self.request),
            ("mailbox.receive", self.receive),
            ("mailbox.listen", self.listen),
            ("mailbox.unlisten", self.unlisten),
            ("mailbox.messages", self.messages),
            ("mailbox.check", self.check),
            ("mailbox.acknowledge", self.acknowledge),
            ("mailbox.clear", self.clear),
            ("mailbox.stats", self.stats),
            ("deliveries.get", self.deliveries),
            ("dead_letters.list", self.dead_letters),
            ("dead_letters.redeliver", self.redeliver),
            ("notes.add", self.add_note),
            ("notes.get", self.get_note),
            ("notes.list", self.list_notes),
            ("notes.delete", self.delete_note),
            ("modules.call", self.call_module),
            ("health.get", self.health),
            ("statistics.get", self.statistics),
            ("plugins.list", self.plugins),
            ("topics.subscribe", self.subscribe),
            ("topics.unsubscribe", self.unsubscribe),
            ("observatory.describe", self.describe),
        ]

    async def call(self, request: rpc.Request, caller: Caller) -> dict[str, Any]:
        """Carry out a request and return the answer to it.

        Raises:
            ObservatoryError: it is refused, or has failed.
        """
        operation = self._operations.get(request.method)
        if operation is None:
            hint = str(UnknownNameError("method", request.method, self._operations)).partition("; ")[2]
            return request.unknown(hint)
        self._context.security.admit(caller.identity)
        given = {"caller": caller} if operation in self._personal else {}
        return request.result(await operation.call(request.params, **given))

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
    def _mailbox(self) -> Mailbox:
        return self._context.module(Mailbox)

    @property
    def _notes(self) -> Notes:
        return self._context.module(Notes)

    async def send(
        self,
        to: str,
        content: str,
        from_: str | None = None,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        require: Sequence[str] = (),
        expires_in: float | None = None,
        idempotency_key: str | None = None,
        caller: Caller,
    ) -> Receipt:
        """Send one message; by default in the name of the connection's identity."""
        return await self._mailbox.send_message(
            to,
            caller.acts_as(from_),
            content,
            type=type,
            metadata=metadata,
            require=require,
            expires_in=expires_in,
            idempotency_key=idempotency_key,
            verified=caller.identity.verified,
        )

    async def broadcast(
        self,
        names: Sequence[str],
        content: str,
        from_: str | None = None,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        caller: Caller,
    ) -> list[Receipt | ObservatoryError]:
        """Send independent copies to many recipients; a receipt or an error for each, in the order given."""
        sender, verified = caller.acts_as(from_), caller.identity.verified
        return await self._mailbox.broadcast_to_many(
            names, sender, content, type=type, metadata=metadata, verified=verified
        )

    async def request(
        self,
        to: str,
        content: str,
        from_: str | None = None,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        caller: Caller,
    ) -> Message:
        """Send a message, wait for the reply to it, and acknowledge that."""
        sender, verified = caller.acts_as(from_), caller.identity.verified
        return await self._mailbox.request(to, sender, content, type=type, metadata=metadata, verified=verified)

    async def receive(self, agent: str | None = None, *, after: str | None = None, caller: Caller) -> Message:
        """Wait for an agent's oldest unread message; it stays unread until it is acknowledged."""
        return await self._mailbox.receive(caller.acts_as(agent), after=after)

    def listen(self, agent: str | None = None, *, caller: Caller) -> bool:
        """Have an agent's mail brought over this connection as it is delivered; return False where nobody brings it.

        Each message is a notification `mailbox.delivered`, its acknowledgement `mailbox.retracted`; where some could
        not be brought, `mailbox.dropped` says how many. What was unread before is listed by `mailbox.check`.
        """
        caller.listening.begin(caller.acts_as(agent))
        return DOOR in self._observatory.statistics().lanes

    def unlisten(self, agent: str | None = None, *, caller: Caller) -> bool:
        """Have it no more; return whether it was had."""
        return caller.listening.end(caller.acts_as(agent))

    def messages(self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False) -> Page:
        """List an agent's messages, newest first, as many as an answer holds; `more` says whether older ones follow."""
        return page_of(self._mailbox, agent, limit=limit, before=before, unread_only=unread_only)

    def check(self, agent: str, *, max_chars: int = 10_000) -> Check:
        """List an agent's unread messages, newest first, up to so many characters; of the rest, who wrote and when."""
        return check_of(self._mailbox, agent, max_chars=max_chars)

    async def acknowledge(self, agent: str, ids: Sequence[str], *, caller: Caller) -> list[Message]:
        """Acknowledge messages: they are read from now on, and delivery channels take them back."""
        return list(await self._mailbox.mark_read(caller.acts_as(agent), *ids))

    async def clear(self, agent: str, *, caller: Caller) -> int:
        """Remove every message of a mailbox, unread ones included; return how many there were."""
        return await self._mailbox.clear_messages(caller.acts_as(agent))

    def stats(self, agent: str | None = None) -> MailboxFigures:
        """Return the figures of one mailbox, or of each that is not empty, and of all together."""
        mailbox = self._mailbox
        boxes = mailbox.get_stats() if agent is None else {agent: mailbox.agent_stats(agent)}
        return MailboxFigures(boxes, mailbox.statistics())

    def deliveries(self, id: str) -> Sequence[DeliveryRecord]:
        """Return how far each delivery channel has come with a message."""
        return self._observatory.deliveries(id)

    def dead_letters(self) -> Sequence[DeadLetter]:
        """List the deliveries that were given up, oldest first."""
        return self._observatory.dead_letters()

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

    def list_notes(self) -> list[Note]:
        """List every note, newest first."""
        return self._notes.list_notes()

    async def delete_note(self, key: str) -> bool:
        """Delete the note of a key; return whether there was one."""
        return await self._notes.delete_note(key)

    async def call_module(self, module: str, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a method that a plugin's module exposes; `observatory.describe` lists them."""
        return await self._exposed_by(module, method).call(params)

    def health(self) -> Any:
        """Return the state of every module, lane and service."""
        return self._observatory.health()

    def statistics(self) -> Any:
        """Return the figures of everything."""
        return self._observatory.statistics()

    def plugins(self) -> Any:
        """List what is known of every plugin."""
        return self._observatory.plugins()

    def subscribe(
        self, topic: str, *, since: int | None = None, epoch: str | None = None, snapshot: bool = False, caller: Caller
    ) -> Subscribed:
        """Follow a topic, or with `prefix:*` all that begin so; with `since` first what was missed, or a gap.

        With a snapshot, the state that the topic tells of comes with the answer, and the events are what followed.
        """
        follower = caller.following.subscribe(topic, since, epoch)
        try:
            state = self._snapshot(topic) if snapshot else None
        except ObservatoryError:
            caller.following.drop(topic)
            raise
        caller.followers.append(follower)
        pubsub = self._context.pubsub
        return Subscribed(topic, pubsub.epoch, pubsub.newest(topic), state)

    async def unsubscribe(self, topic: str, *, caller: Caller) -> bool:
        """Follow a topic or pattern no more; return whether it was followed. After the answer, no more of it comes."""
        await trio.lowlevel.checkpoint()
        return await caller.following.unsubscribe(topic)

    def describe(self) -> dict[str, Any]:
        """Return every method with JSON Schema of what it takes and gives, and the codes of errors."""
        return {
            "methods": {name: operation.schema() for name, operation in self._operations.items()},
            "modules": {
                name: {method: self._exposed_by(name, method).schema() for method in module.exposes}
                for name, module in self._context.modules.items()
            },
            "errors": dict(rpc.CODES),
        }

    def _snapshot(self, topic: str) -> Any:
        """Return the state of which a topic tells the changes: nothing is published between this and its subscription.

        Raises:
            InvalidInputError: this topic tells of no state.
        """
        if topic == "notes:update":
            return self._notes.list_notes()
        if topic == "health:update":
            return self._observatory.health()
        if topic == "agent:*":
            return self._mailbox.get_stats()
        if topic.startswith("agent:"):
            return page_of(self._mailbox, topic.removeprefix("agent:"), limit=100, before=None, unread_only=True)
        raise InvalidInputError(
            "params.snapshot", f"{topic!r:.80} has none; agent:NAME, agent:*, notes:update and health:update have"
        )

    def _exposed_by(self, module: str, method: str) -> Operation:
        """Return what a module exposes under a name.

        Raises:
            UnknownNameError: there is no such module, or it exposes no such method.
        """
        operation = self._exposed.get((module, method))
        if operation is None:
            found = self._context.module(module)
            if method not in found.exposes:
                raise UnknownNameError(f"method of {module}", method, found.exposes)
            operation = self._exposed[module, method] = Operation(getattr(found, method), name=f"{module}.{method}")
        return operation


def _operation(function: Callable[..., Any], name: str) -> Operation:
    """Make an operation of a method; some are told who asks."""
    personal = "caller" in inspect.signature(function).parameters
    return Operation(function, name=name, leave_out=("caller",) if personal else ())
