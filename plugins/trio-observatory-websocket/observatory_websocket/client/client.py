"""The library's methods, as calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import trio

from observatory import (
    Client,
    DeadLetter,
    DeliveryRecord,
    Health,
    InvalidInputError,
    MailboxClient,
    MailboxStats,
    Message,
    Note,
    NotesClient,
    ObservatoryError,
    PluginInfo,
    Receipt,
    Statistics,
    UnknownMessageError,
    from_wire,
)
from observatory_websocket.bounds import AT_ONCE
from observatory_websocket.client.calls import Again, Calls
from observatory_websocket.client.parts import parts_of
from observatory_websocket.client.presence import WebSocketPresence
from observatory_websocket.client.session import Session
from observatory_websocket.client.subscriptions import WebSocketSubscription
from observatory_websocket.client.swarm import WebSocketSwarm
from observatory_websocket.client.traces import WebSocketTraces
from observatory_websocket.client.values import as_json, receipt_or_error

_IN_REPLY_TO = "in_reply_to"


class WebSocketClient(Client):
    """An Observatory that another process runs.

    Args:
        session: what is asked.
        nursery: whose tasks end when the client is closed.
    """

    def __init__(self, session: Session, nursery: trio.Nursery) -> None:
        self.mailbox = _Mailbox(session.calls)
        self.notes = _Notes(session.calls)
        self.swarm = WebSocketSwarm(session.calls)
        self.traces = WebSocketTraces(session.calls)
        self.presence = WebSocketPresence(session.calls, nursery)
        self._session = session
        self._calls = session.calls

    async def health(self) -> Health:
        """Return the state of every module, lane and service."""
        return from_wire(await self._read("health.get"), Health)

    async def statistics(self) -> Statistics:
        """Return the figures of everything."""
        return from_wire(await self._read("statistics.get"), Statistics)

    async def plugins(self) -> tuple[PluginInfo, ...]:
        """Return what is known of every plugin."""
        return tuple(from_wire(one, PluginInfo) for one in await self._read("plugins.list"))

    async def deliveries(self, message_id: str) -> tuple[DeliveryRecord, ...]:
        """Return how far each delivery channel has come with a message."""
        await _check_string("message_id", message_id, "the id of a message")
        return tuple(from_wire(one, DeliveryRecord) for one in await self._read("deliveries.get", id=message_id))

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the deliveries that were given up, oldest first."""
        letters, more = await self._letters(None)
        while more:
            try:
                page, more = await self._letters(f"{letters[-1].channel}:{letters[-1].message.id}")
            except InvalidInputError:  # it has left the list between two pages
                return await self.dead_letters()
            letters += page
        return tuple(letters)

    async def _letters(self, after: str | None) -> tuple[list[DeadLetter], bool]:
        page = await self._read("dead_letters.list", after=after)
        return [from_wire(one, DeadLetter) for one in page["letters"]], page["more"]

    async def redeliver(self, ids: Collection[str] | None = None) -> int:
        """Try dead letters again: those of these messages, or all; return how many were handed to their lanes."""
        count: int = await self._calls.ask("dead_letters.redeliver", {"ids": None if ids is None else _listed(ids)})
        return count

    async def subscribe(
        self, topic: str, *, since: int | None = None, epoch: str | None = None
    ) -> WebSocketSubscription:
        """Subscribe to a topic or a pattern; the subscription has begun when this returns."""
        if since is not None and epoch is None:
            epoch = await self._read("topics.epoch")
        return await self._session.subscribe(topic, since, epoch)

    async def call_module(self, module: str, method: str, /, **params: Any) -> Any:
        """Call a method that a module exposes; parameters and result are as JSON says them.

        Raises:
            UnknownNameError: there is no such module or method; and what the method raises.
        """
        return await self._call("module", module, method, params)

    async def call_service(self, service: str, method: str, /, **params: Any) -> Any:
        """Call a method that a service exposes; parameters and result are as JSON says them.

        Raises:
            UnknownNameError: there is no such service or method; and what the method raises.
        """
        return await self._call("service", service, method, params)

    async def _call(self, kind: str, part: str, method: str, params: Mapping[str, Any]) -> Any:
        try:
            plain = as_json(params)  # here, where parameters stand for themselves
        except InvalidInputError:
            await trio.lowlevel.checkpoint()  # noqa: ASYNC120 -- cancelled, it may be that
            raise
        return await self._calls.ask(f"{kind}s.call", {kind: part, "method": method, "params": plain})

    async def describe(self) -> dict[str, Any]:
        """Return every method of the service, with JSON Schema of what it takes and gives."""
        described: dict[str, Any] = await self._read("observatory.describe")
        return described

    async def _read(self, method: str, **params: Any) -> Any:
        return await self._calls.ask(method, params, again=Again.YES)


class _Mailbox(MailboxClient):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def send_message(
        self,
        to: str,
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
        require: Iterable[str] = (),
        expires_in: float | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        params = {"to": to, "from": from_, "content": content, "type": type, "metadata": metadata}
        extra = {"require": _listed(require), "expires_in": expires_in, "idempotency_key": idempotency_key}
        again = Again.NO if idempotency_key is None else Again.REMEMBERED
        return from_wire(await self._calls.ask("mailbox.send", params | extra, again=again), Receipt)

    async def broadcast_to_many(
        self,
        names: Iterable[str],
        from_: str,
        content: str,
        *,
        type: str = "text",
        metadata: Mapping[str, Any] | None = None,
    ) -> list[Receipt | ObservatoryError]:
        params = {"from": from_, "content": content, "type": type, "metadata": metadata}
        try:
            parts = parts_of(_listed(names), as_json(params))
        except InvalidInputError:
            await trio.lowlevel.checkpoint()  # noqa: ASYNC120 -- cancelled, it may be that
            raise
        outcomes: list[Receipt | ObservatoryError] = []
        for part in parts:
            try:
                answer = await self._calls.ask("mailbox.broadcast", {"names": part, **params})
            except ObservatoryError as error:
                if not outcomes:
                    raise
                outcomes += [error] * len(part)  # what was sent before stands
            else:
                outcomes += [receipt_or_error(one) for one in answer]
        return outcomes

    async def request(
        self, to: str, from_: str, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Message:
        params = {"to": to, "from": from_, "content": content, "type": type, "metadata": metadata}
        return from_wire(await self._calls.ask("mailbox.request", params), Message)

    async def reply(
        self, message: Message, content: str, *, type: str = "text", metadata: Mapping[str, Any] | None = None
    ) -> Receipt:
        if not isinstance(message, Message):
            await trio.lowlevel.checkpoint()
            got = message.__class__.__name__
            raise InvalidInputError("message", f"expected the Message to answer, got {got}")
        marked = {**(metadata or {}), _IN_REPLY_TO: message.id}
        return await self.send_message(message.from_, message.to, content, type=type, metadata=marked)

    async def receive(self, agent: str, *, after: str | None = None) -> Message:
        await _check_string("agent", agent, "a name")  # left out, it is another question
        return from_wire(await self._read("mailbox.receive", agent=agent, after=after), Message)

    async def get_messages(
        self, agent: str, *, limit: int = 100, before: str | None = None, unread_only: bool = False
    ) -> list[Message]:
        found, more = await self._page(agent, limit=limit, before=before, unread_only=unread_only)
        while more and len(found) < limit:
            try:
                page, more = await self._page(
                    agent, limit=limit - len(found), before=found[-1].id, unread_only=unread_only
                )
            except UnknownMessageError:  # it has left the mailbox between two pages
                return await self.get_messages(agent, limit=limit, before=before, unread_only=unread_only)
            found += page
        return found

    async def _page(
        self, agent: str, *, limit: int, before: str | None, unread_only: bool
    ) -> tuple[list[Message], bool]:
        """Return as many messages as one answer holds, and whether there are more."""
        page = await self._read("mailbox.messages", agent=agent, limit=limit, before=before, unread_only=unread_only)
        return [from_wire(one, Message) for one in page["messages"]], page["more"]

    async def mark_read(self, agent: str, *ids: str) -> tuple[Message, ...]:
        for id in ids:
            await _check_string("ids", id, "the id of a message")
        read: list[Message] = []
        while True:
            # Doing it twice is no error, and gives those that did not fit into an answer.
            params = {"agent": agent, "ids": list(ids[len(read) : len(read) + AT_ONCE])}
            page = await self._calls.ask("mailbox.acknowledge", params, again=Again.REMEMBERED)
            read += [from_wire(one, Message) for one in page["messages"]]
            if len(read) == len(ids):
                return tuple(read)

    async def clear_messages(self, agent: str) -> int:
        count: int = await self._calls.ask("mailbox.clear", {"agent": agent})
        return count

    async def unread_count(self, agent: str) -> int:
        return (await self.agent_stats(agent)).unread

    async def agent_stats(self, agent: str) -> MailboxStats:
        await _check_string("agent", agent, "a name")  # left out, it is another question
        return from_wire((await self._read("mailbox.stats", agent=agent))["mailboxes"][agent], MailboxStats)

    async def get_stats(self) -> dict[str, MailboxStats]:
        boxes: dict[str, Any] = {}
        more = True
        while more:
            page = await self._read("mailbox.stats", after=next(reversed(boxes), ""))
            boxes |= page["mailboxes"]
            more = page["more"]
        return {agent: from_wire(one, MailboxStats) for agent, one in boxes.items()}

    async def _read(self, method: str, **params: Any) -> Any:
        return await self._calls.ask(method, params, again=Again.YES)


class _Notes(NotesClient):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def add_note(self, key: str, text: str) -> Note:
        # Not twice by itself: somebody else may have written the note in between.
        return from_wire(await self._calls.ask("notes.add", {"key": key, "text": text}), Note)

    async def delete_note(self, key: str) -> bool:
        existed: bool = await self._calls.ask("notes.delete", {"key": key})
        return existed

    async def get_note(self, key: str) -> Note | None:
        found = await self._calls.ask("notes.get", {"key": key}, again=Again.YES)
        return None if found is None else from_wire(found, Note)

    async def list_notes(self) -> list[Note]:
        notes: list[Note] = []
        more = True
        while more:
            after = {"after": notes[-1].key if notes else ""}
            page = await self._calls.ask("notes.list", after, again=Again.YES)
            notes += [from_wire(one, Note) for one in page["notes"]]
            more = page["more"]
        return sorted(notes, key=lambda note: note.timestamp, reverse=True)


def _listed(values: Iterable[Any]) -> Any:
    """Return the values of a collection; what is none is for the service to refuse."""
    return values if isinstance(values, str) or not isinstance(values, Iterable) else list(values)


async def _check_string(field: str, value: object, what: str) -> None:
    if not isinstance(value, str):
        await trio.lowlevel.checkpoint()
        raise InvalidInputError(field, f"expected {what}, got {type(value).__name__}")
