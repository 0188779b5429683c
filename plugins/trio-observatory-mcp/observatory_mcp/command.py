"""`observatory mcp`."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import trio
from cyclopts import App, CycloptsError, Parameter

from observatory import Client, EmbeddedClient, ForbiddenError, ObservatoryError, Settings, from_wire, open_observatory
from observatory.commands import DASHED, OK, Options, check_name, counted, service_on
from observatory_mcp.settings import McpSettings

_AGENT = "OBSERVATORY_AGENT"
_INBOX = "inbox"
_TASKS = "tasks.jsonl"
_TOKEN = "OBSERVATORY_TOKEN"  # noqa: S105  # the name of the variable

app = App(name="mcp", help="Serve one agent over MCP on standard input and output.")


@app.default
async def mcp(
    *,
    agent: Annotated[str | None, DASHED, Parameter(name="--agent")] = None,
    options: Options = Options(),  # noqa: B008  # frozen
) -> int:
    """Serve one agent over MCP on standard input and output, until that is closed or a signal comes.

    It works with the service that runs on the root; where none runs, with an Observatory of its own. Who the agent is
    says `--agent`, or else the variable `OBSERVATORY_AGENT`, or else the token in `OBSERVATORY_TOKEN`: no tool can act
    as anybody else.

    Args:
        agent: Whose mail this is.
        options: Of which root.
    """
    settings = options.settings()
    name = _name_of(agent)
    from observatory_mcp.desk import Desk  # here, as what it needs takes 0.6 s to import
    from observatory_mcp.serving import serve
    from observatory_mcp.wires import standard_streams

    with standard_streams() as (stdin, stdout), trio.open_signal_receiver(*_ENDINGS) as signals:
        async with stdin, stdout, trio.open_nursery() as nursery:
            nursery.start_soon(_end_on, signals, nursery.cancel_scope)
            async with _reached(settings, name) as (client, project):
                desk = Desk(client=client, agent=name, settings=_settings_of(settings), project=project)
                await serve(desk, stdin, stdout)
            nursery.cancel_scope.cancel()
    return OK


_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def _end_on(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


def _name_of(option: str | None) -> str:
    """Return who the agent is.

    Raises:
        CycloptsError: nobody says so, or the token is somebody else's.
        InvalidInputError: that is no name.
    """
    proven = os.environ.get(_TOKEN, "").rpartition(".")[0]  # the service sees whether it is
    name = option or os.environ.get(_AGENT) or proven
    if not name:
        raise CycloptsError(msg=f"say whose mail this is: --agent NAME, or {_AGENT}=NAME in the environment")
    if proven and proven != name:
        raise CycloptsError(msg=f"the token in {_TOKEN} names {proven!r:.80}, which cannot act as {name!r:.80}")
    check_name("agent", name)
    return name


@asynccontextmanager
async def _reached(settings: Settings, agent: str) -> AsyncIterator[tuple[Client, str | None]]:
    """Reach the service that runs on a root as the agent, or else open an Observatory that is nobody's service.

    With the client comes the project in this folder, if there is one.

    Raises:
        CycloptsError: there is nothing that keeps messages where others find them.
        ObservatoryError: neither can be done, or something could not be delivered before the end.
    """
    identity = None if os.environ.get(_TOKEN) else agent  # the token says so as well
    async with service_on(settings, identity=identity, for_long=True) as client:
        if client is not None:
            async with service_on(settings) as owner:  # an agent may not say what is looked after
                project = await _project_here(owner or client)
            yield client, project
            return
    recover = None if settings.mailbox.unknown_recipients == "refuse" else (agent,)
    async with open_observatory(settings, recover=recover, services=("skills",)) as observatory:
        if _INBOX not in observatory.statistics().lanes and settings.storage.backend == "memory":
            raise CycloptsError(
                msg="no service runs here, the delivery channel 'inbox' is not loaded, and storage 'memory' keeps "
                "nothing, so messages would reach nobody; install trio-observatory-inbox, or start `observatory serve`"
            )
        client = EmbeddedClient(observatory)
        yield client, await _project_here(client)
    if observatory.undelivered:
        raise ObservatoryError(f"{counted(observatory.undelivered, 'delivery', 'deliveries')} could not be made")


async def _project_here(client: Client) -> str | None:
    """Have the tasks in this folder looked after, where there are some; return what their project is known by."""
    if not await trio.Path(_TASKS).exists():
        return None
    try:
        return await client.swarm.add_project(os.getcwd())
    except ForbiddenError:  # a token lets one act as an agent only
        return None


def _settings_of(settings: Settings) -> McpSettings:
    return from_wire(settings.plugins.get("mcp", {}), McpSettings)  # they were checked when the plugin was loaded
