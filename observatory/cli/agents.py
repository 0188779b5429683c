"""`observatory agents`: who is there, and who holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import attrs
import trio
from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from observatory import Agent, Client, Lease, MailboxStats, to_wire
from observatory.cli.endings import OK
from observatory.cli.options import ListingOptions
from observatory.cli.output import counted, harmless, in_words, make_console, note, print_json, shorten
from observatory.cli.reaching import in_time, reached_or_opened, running_service

_BETWEEN = 1.0
"""Seconds between two looks."""

_SHOWN = 5
"""Names, and leases of one agent, that a person is shown."""

_ORDER = ("active", "idle", "gone")
_STYLES = {"active": "green", "idle": "yellow", "gone": "dim"}


@attrs.frozen
class _Look:
    """What was seen."""

    agents: Sequence[Agent]
    leases: Mapping[str, Sequence[Lease]]
    """By holder."""
    unread: Mapping[str, int]
    """By mailbox, as far as there is any."""


async def agents(
    *,
    watch: Annotated[bool, Parameter(negative="")] = False,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """Show who is there, what has told of them, their unread mail and their leases.

    On a terminal as a table; else a line each, with tabs between the cells: name, status, seconds since it was heard of
    or `-`, what has told of it, teams, unread messages, what it holds. Those that are active come first, and of them
    those that were heard of last. Without a service it shows what the configs of teams tell, and the messages that lie
    in inboxes.

    Args:
        watch: Go on until Ctrl-C: on a terminal show it anew each second, else whatever has changed, but for the time.
            That needs a running service.
        options: Of which root.
    """
    settings = options.settings()
    view = _View(json=options.json)
    if not watch:
        async with reached_or_opened(settings, recover=None) as client:
            look = await _look(client)
        view.show(look)
        _tell_of_strangers(look)
        return OK
    async with running_service(settings, for_long=True) as client:
        while True:
            view.show(await _look(client))
            await trio.sleep(_BETWEEN)


async def _look(client: Client) -> _Look:
    found = await in_time(client.presence.list_agents)
    stats: Mapping[str, MailboxStats] = await in_time(client.mailbox.get_stats)
    leases: dict[str, list[Lease]] = {}
    for lease in await in_time(client.presence.list_leases):
        leases.setdefault(lease.holder, []).append(lease)
    found.sort(key=lambda agent: (_ORDER.index(agent.status), _silence(agent), agent.name))
    return _Look(found, leases, {name: one.unread for name, one in stats.items() if one.unread})


def _tell_of_strangers(look: _Look) -> None:
    """Tell of mail that perhaps nobody will ever read: its recipient may be a name that was misspelled."""
    known = {name for agent in look.agents for name in (agent.name, agent.name.partition("@")[0])}
    strangers = [name for name in look.unread if name not in known]
    if strangers:
        names = ", ".join(strangers[:_SHOWN]) + (", …" if len(strangers) > _SHOWN else "")
        note(f"unread mail lies here for {counted(len(strangers), 'name')} that nobody has heard of: {names}")


class _View:
    """Shows one look after another.

    Args:
        json: whether a program reads it.
    """

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._console = make_console()
        self._shown: dict[str, object] = {}  # what was shown of each agent last, but for the time
        self._begun = False

    def show(self, look: _Look) -> None:
        """Show a look: all of it on a terminal, else what was not shown before."""
        if self._console.is_terminal and not self._json:
            if self._begun:
                self._console.clear()
            self._begun = True
            self._console.print(_table(look))
            return
        for agent in look.agents:
            unread, leases = look.unread.get(agent.name, 0), look.leases.get(agent.name, ())
            resources = [lease.resource for lease in leases]
            now = agent.status, agent.sources, agent.teams, unread, resources
            if self._shown.get(agent.name) == now:
                continue
            self._shown[agent.name] = now
            if self._json:
                print_json({**to_wire(agent), "unread": unread, "leases": to_wire(list(leases))}, flush=True)
            else:
                print("\t".join(map(harmless, _cells(agent, unread, resources))), flush=True)


def _silence(agent: Agent) -> float:
    """Return for how many seconds nothing was heard of an agent."""
    return float("inf") if agent.last_seen is None else (datetime.now(UTC) - agent.last_seen).total_seconds()


def _cells(agent: Agent, unread: int, resources: Sequence[str]) -> Sequence[str]:
    silence = "-" if agent.last_seen is None else f"{max(_silence(agent), 0):.0f}"
    told_by, teams = ",".join(agent.sources), ",".join(agent.teams)
    return agent.name, agent.status, silence, told_by, teams or "-", str(unread), " ".join(resources) or "-"


def _table(look: _Look) -> Table | Text:
    if not look.agents:
        return Text("nobody was heard of: no team has a member, and nobody has sent anything")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in ("Agent", "Status", "Last seen", "Told by", "Teams", "Unread", "Holds"):
        table.add_column(column, overflow="fold", justify="right" if column == "Unread" else "left")
    for agent in look.agents:
        seen = "-" if agent.last_seen is None else f"{in_words(_silence(agent))} ago"
        unread = look.unread.get(agent.name, 0)
        table.add_row(
            Text(harmless(agent.name), "dim" if agent.status == "gone" else "cyan"),
            Text(agent.status, _STYLES[agent.status]),
            seen,
            ", ".join(agent.sources),
            Text(harmless(", ".join(agent.teams)) or "-"),
            Text(f"{unread:,}", "yellow" if unread and agent.status != "active" else ""),
            Text(_held(look.leases.get(agent.name, ()))),
        )
    return table


def _held(leases: Sequence[Lease]) -> str:
    shown = ", ".join([harmless(shorten(lease.resource, 60)) for lease in leases[:_SHOWN]])
    return f"{shown}, … {len(leases)} in all" if len(leases) > _SHOWN else shown or "-"
