"""`observatory send`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from cyclopts import CycloptsError, Parameter

from observatory import DeliveryError, InvalidInputError, Observatory, Receipt, to_wire
from observatory.cli.endings import FAILED, OK
from observatory.cli.opening import INBOX, opened_on_files
from observatory.cli.options import ListingOptions
from observatory.cli.output import complain, note, print_json


async def send(
    to: str | None = None,
    content: str | None = None,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    type: str = "text",
    metadata: str | None = None,
    jsonl: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """Send a message, or one for each line of a file.

    A line of the file is a JSON object with `to`, `content`, and if wanted `from`, `type` and `metadata`. A line that
    is wrong is reported with its number, and the others are sent. Lines to one recipient arrive in their order.

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
            raise CycloptsError(msg="give either TO and CONTENT, or --jsonl with a file in which they stand")
        return await send_file(jsonl, sender=from_, type=type, options=options)
    if to is None or content is None or from_ is None:
        raise CycloptsError(msg="send needs TO, CONTENT and --from, or --jsonl with a file in which they stand")
    table = _read_metadata(metadata)
    async with opened_on_files(options.settings(), recover=()) as observatory:
        receipt = await send_one(observatory, to, from_, content, type=type, metadata=table)
        if options.json:
            print_json(to_wire(receipt))
        elif is_kept(receipt):
            print(receipt.message.id)
            note(f"message {receipt.sequence} for {to} is {_state(receipt)}")
    return OK if tell_if_lost(receipt) else FAILED
