"""`observatory inbox` and `observatory ack`: one agent's mailbox."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from cyclopts import Parameter, validators

from observatory import Client, EmbeddedClient, Message, UnknownMessageError, to_wire
from observatory.arguments import check_name
from observatory.cli.endings import FAILED, OK
from observatory.cli.options import DASHED, ListingOptions, Options
from observatory.cli.output import complain, counted, local_time, note, print_json, print_table
from observatory.cli.reaching import in_time, reached


async def inbox(
    agent: Annotated[str, DASHED],
    /,
    *,
    all: Annotated[bool, Parameter(negative="")] = False,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 100,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """List an agent's messages, newest first.

    On a terminal as a table, else one line each: id, time, sender, type, content, with tabs between. A name may begin
    with a dash; one that is written like an option goes after `--`.

    Args:
        agent: Whose messages.
        all: List those that were acknowledged too, as far as storage keeps them: an inbox file is gone by then.
        limit: List so many at most.
        options: Where from.
    """
    check_name("agent", agent)
    settings = options.settings()
    async with reached(settings, recover=(agent,)) as client:
        stats = await in_time(client.mailbox.agent_stats, agent)
        messages = await in_time(client.mailbox.get_messages, agent, limit=limit, unread_only=not all)
        left_behind = (await in_time(client.statistics)).mailbox.left_behind
    if options.json:
        for message in messages:
            print_json(to_wire(message))
    else:
        _show(agent, messages, total=stats.total if all else stats.unread)
    if left_behind:
        note(f"{counted(left_behind, 'more message')} found in files and left there")
    if all and isinstance(client, EmbeddedClient) and settings.storage.backend == "memory":
        note("acknowledged messages are not listed: with storage 'memory' only the process that holds them knows them")
    return OK


async def ack(
    agent: Annotated[str, DASHED],
    id: str,
    /,
    *ids: str,
    options: Options = Options(),  # noqa: B008  # frozen
) -> int:
    """Acknowledge messages: they are read, and their files go.

    A name may begin with a dash; one that is written like an option goes after `--`.

    Args:
        agent: Whose messages.
        id: The message's id, as `inbox` lists it.
        ids: More of them.
        options: Where.
    """
    check_name("agent", agent)
    async with reached(options.settings(), recover=(agent,)) as client:
        try:
            await in_time(client.mailbox.mark_read, agent, id, *ids)
            unknown = 0
        except UnknownMessageError:
            unknown = await _mark_each(client, agent, (id, *ids))
    note(f"{counted(1 + len(ids) - unknown, 'message')} of {agent} acknowledged")
    return FAILED if unknown else OK


async def _mark_each(client: Client, agent: str, ids: Collection[str]) -> int:
    """Acknowledge one message after another; name those that are unknown, and return how many that are."""
    unknown = 0
    for id in ids:
        try:
            await in_time(client.mailbox.mark_read, agent, id)
        except UnknownMessageError as error:
            complain(str(error))
            unknown += 1
    return unknown


def _show(agent: str, messages: list[Message], *, total: int) -> None:
    if not messages:
        note(f"no messages for {agent}")
        return
    rows = [
        (one.id, local_time(one.timestamp, "%Y-%m-%d %H:%M:%S"), one.from_, one.type, one.content) for one in messages
    ]
    print_table(("Id", "Time", "From", "Type", "Content"), rows)
    if total > len(messages):
        note(f"the newest {len(messages):,} of {total:,}; --limit {total} lists all")
