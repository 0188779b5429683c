"""`observatory send`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

import attrs
import orjson
from cyclopts import CycloptsError, Parameter

from observatory import Client, DeliveryError, EmbeddedClient, InvalidInputError, Receipt, Settings, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.opening import INBOX
from observatory.cli.options import DASHED, ListingOptions
from observatory.cli.output import complain, note, print_json
from observatory.cli.reaching import in_time, reached


@attrs.frozen(kw_only=True)
class Outgoing:
    """A message that is to be sent, as it was written; the Mailbox checks it."""

    to: Any
    from_: Any
    content: Any
    type: Any = "text"
    metadata: Any = None


async def send(
    to: Annotated[str | None, DASHED] = None,
    content: Annotated[str | None, DASHED] = None,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    type: str = "text",
    metadata: str | None = None,
    jsonl: Annotated[str | None, DASHED] = None,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """Send a message, or one for each line of a file.

    A line of the file is a JSON object with `to`, `content`, and if wanted `from`, `type` and `metadata`. A line that
    is wrong is reported with its number, and the others are sent. Lines to one recipient arrive in their order.

    A name or a text may begin with a dash; one that is written like an option goes after `--`, and a sender of that
    kind is `--from=-NAME`.

    With a running service a message as JSON, all of it together, has at most `max_frame_bytes` (1 MiB, in
    `[plugins.websocket]`); there a quotation mark or a line break counts as two.

    Args:
        to: Who it is for: 1 to 128 characters of `A-Z a-z 0-9 . _ @ + -`.
        content: The text, at most 1 MiB.
        from_: Who sends it; with `--jsonl` for the lines that do not say.
        type: What kind of message it is; with `--jsonl` for the lines that do not say.
        metadata: A JSON object that goes with it.
        jsonl: A file with one message a line; `-` for standard input.
        options: Where to.
    """
    if jsonl is not None:
        from observatory.cli.batches import send_file  # here, since most send one message

        if to is not None or metadata is not None:
            raise CycloptsError(msg="give TO and CONTENT, or --jsonl with a file in which they stand, not both")
        return await send_file(jsonl, sender=from_, type=type, options=options)
    if to is None or content is None or from_ is None:
        raise CycloptsError(msg="send needs TO, CONTENT and --from, or --jsonl with a file in which they stand")
    outgoing = Outgoing(to=to, from_=from_, content=content, type=type, metadata=_read_metadata(metadata))
    settings = options.settings()
    async with reached(settings, recover=known_from(settings)) as client:
        sender = await open_sender(client)
        receipt = await sender.send(outgoing)
        if options.json:
            print_json(to_wire(receipt))
        else:
            _show(receipt, lost=sender.has_lost(receipt))
        trouble = sender.trouble_with(receipt)
        if trouble:
            complain(trouble)
        return FAILED if trouble else OK


def known_from(settings: Settings) -> Collection[str] | None:
    """Return whose messages have to be looked at: those of all, where only to those may be sent of whom was heard."""
    return None if settings.mailbox.unknown_recipients == "refuse" else ()


async def open_sender(client: Client) -> Sender:
    """Make a sender, which knows whether messages become files where they go."""
    return Sender(client, files=INBOX in (await in_time(client.statistics)).lanes)


class Sender:
    """Sends, and says what became of it.

    Args:
        client: where messages go.
        files: whether they become files there.
    """

    def __init__(self, client: Client, *, files: bool) -> None:
        self._mailbox = client.mailbox
        self._require = [INBOX] if files else []
        self._ends = isinstance(client, EmbeddedClient)  # its memory is that of this command

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Send a message, and wait for its file whatever the settings require.

        Raises:
            ObservatoryError: nothing was sent.
        """
        try:
            return await in_time(
                self._mailbox.send_message,
                outgoing.to,
                outgoing.from_,
                outgoing.content,
                type=outgoing.type,
                metadata=outgoing.metadata,
                require=self._require,
            )
        except DeliveryError as error:
            return error.receipt  # it tells more than the error

    def trouble_with(self, receipt: Receipt) -> str | None:
        """Say why a message is not where its recipient looks; return None when it is."""
        delivery = receipt.deliveries.get(INBOX)
        if delivery is None or delivery.state == "written":
            return None
        id, to = receipt.message.id, receipt.message.to
        why = f"it is {delivery.state}: {delivery.error}"
        if self.has_lost(receipt):
            again = "so mend that and send it again, unless it has arrived all the same"
            return f"the message to {to} is lost: {why}; storage 'memory' keeps nothing, {again}"
        if delivery.state == "dead":
            retry = "`observatory dead-letters --redeliver` tries again"
            return f"message {id} is not in the inbox of {to}: {why}; once that is mended, {retry}"
        end = "; with storage 'memory' it is lost if this command ends first" if self._forgets(receipt) else ""
        return f"message {id} is not in the inbox of {to} yet: {why}{end}"

    def has_lost(self, receipt: Receipt) -> bool:
        """Return whether nothing has the message once this process ends."""
        delivery = receipt.deliveries.get(INBOX)
        return delivery is not None and delivery.state in ("dead", "dropped") and self._forgets(receipt)

    def _forgets(self, receipt: Receipt) -> bool:
        return self._ends and receipt.durability == "memory"


def doubt_about(receipt: Receipt) -> str | None:
    """Say that the recipient is not known, where names are known that are near."""
    if not receipt.nearest:
        return None
    return f"{receipt.message.to} is not known here; did you mean {' or '.join(receipt.nearest)}?"


def _show(receipt: Receipt, *, lost: bool) -> None:
    """Print the id for scripts, unless there is no message for it, and beside it how far the message has come."""
    if not lost:
        print(receipt.message.id)
    doubt = doubt_about(receipt)
    if doubt:
        note(doubt)
    states = [f"{name} {delivery.state}" for name, delivery in receipt.deliveries.items()]
    note(f"to {receipt.message.to}: {', '.join(states) or receipt.durability}")


def _read_metadata(text: str | None) -> Mapping[str, Any] | None:
    """Read what was given as `--metadata`; the Mailbox sees to it that it is an object."""
    if text is None:
        return None
    try:
        metadata: Mapping[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("--metadata", f"is not JSON: {error}") from error
    return metadata
