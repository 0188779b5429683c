"""`observatory send --jsonl`: many sends in flight, one recipient's one after another."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable
from typing import Any

import attrs
import orjson
import trio

from observatory import InvalidInputError, ObservatoryError, Receipt, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.lines import Line, open_lines
from observatory.cli.options import ListingOptions
from observatory.cli.output import complain, counted, note, print_json
from observatory.cli.reaching import reached
from observatory.cli.sending import Outgoing, Sender, doubt_about, known_from, open_sender
from observatory.errors import did_you_mean

_IN_FLIGHT = 64
_FIELDS = ("to", "from", "content", "type", "metadata")


async def send_file(path: str, *, sender: str | None, type: str, options: ListingOptions) -> int:
    """Send every line of a file and return the exit code.

    Args:
        path: the file; `-` for standard input.
        sender: who sends what does not say so.
        type: the type of what does not say so.
        options: where to.
    """
    settings = options.settings()
    async with open_lines(path) as lines, reached(settings, recover=known_from(settings)) as client:
        batch = _Batch(await open_sender(client), from_=sender, type=type, json=options.json)
        await batch.send_all(lines)
        note(f"{counted(batch.sent, 'message')} sent to {counted(len(batch.recipients), 'agent')}")
        if batch.failed:
            complain(f"{counted(batch.failed, 'line')} of {path} not sent or not delivered")
        return FAILED if batch.failed else OK


def read_line(line: Line, *, sender: str | None, type: str) -> Outgoing:
    """Read one line; what its values may be is left to the Mailbox.

    Raises:
        InvalidInputError: it is no JSON object, or has too many or too few fields.
    """
    data = _read_object(line.text)
    for key in data:
        if key not in _FIELDS:
            raise InvalidInputError(key, f"is no field of a message; {did_you_mean(key, _FIELDS)}")
    for key in ("to", "content"):
        if key not in data:
            raise InvalidInputError(key, "is missing")
    if "from" not in data and sender is None:
        raise InvalidInputError("from", "is missing, and --from is not given")
    return Outgoing(
        to=data["to"],
        from_=data.get("from", sender),
        content=data["content"],
        type=data.get("type", type),
        metadata=data.get("metadata"),
    )


def _read_object(text: bytes | None) -> dict[str, Any]:
    if text is None:
        raise InvalidInputError("message", "is longer than any message can be")
    try:
        data = orjson.loads(text.decode())
    except UnicodeDecodeError as error:
        raise InvalidInputError("message", f"is not JSON: byte {error.start + 1} is not UTF-8") from error
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("message", f"is not JSON: column {error.colno}: {error.msg}") from error
    if not isinstance(data, dict):
        raise InvalidInputError("message", "is not a JSON object")
    return data


@attrs.frozen
class _Numbered:
    number: int
    outgoing: Outgoing


class _Batch:
    """The lines of one file on their way."""

    def __init__(self, sender: Sender, *, from_: str | None, type: str, json: bool) -> None:
        self.sent = 0
        self.failed = 0
        self.recipients: set[str] = set()
        self._sender = sender
        self._from = from_
        self._type = type
        self._json = json
        self._room = trio.Semaphore(_IN_FLIGHT)
        self._waiting: dict[Any, deque[_Numbered]] = {}  # by recipient; each has one task

    async def send_all(self, lines: AsyncIterable[Line]) -> None:
        """Send the lines; return when all are sent or have failed."""
        async with trio.open_nursery() as nursery:
            async for line in lines:
                if line.is_blank:
                    continue
                try:
                    outgoing = read_line(line, sender=self._from, type=self._type)
                except InvalidInputError as error:
                    self._fail(line.number, error)
                    continue
                await self._room.acquire()
                self._enqueue(_Numbered(line.number, outgoing), nursery)

    def _enqueue(self, item: _Numbered, nursery: trio.Nursery) -> None:
        to = repr(item.outgoing.to)  # it may be anything, a list too
        if to in self._waiting:
            self._waiting[to].append(item)
        else:
            self._waiting[to] = deque([item])
            nursery.start_soon(self._send_in_order, to)

    async def _send_in_order(self, to: str) -> None:
        queue = self._waiting[to]
        while queue:
            await self._send(queue.popleft())
            self._room.release()
        del self._waiting[to]

    async def _send(self, item: _Numbered) -> None:
        try:
            receipt = await self._sender.send(item.outgoing)
        except ObservatoryError as error:
            self._fail(item.number, error)
        else:
            self._count(item.number, receipt)

    def _count(self, number: int, receipt: Receipt) -> None:
        if not self._sender.has_lost(receipt):
            self.sent += 1
            self.recipients.add(receipt.message.to)
        trouble = self._sender.trouble_with(receipt)
        if trouble:
            self._fail(number, trouble)
        doubt = doubt_about(receipt)
        if self._json:
            print_json({"line": number, **to_wire(receipt)})
        elif doubt:
            note(f"line {number}: {doubt}")

    def _fail(self, number: int, trouble: ObservatoryError | str) -> None:
        self.failed += 1
        complain(f"line {number}: {trouble}")
