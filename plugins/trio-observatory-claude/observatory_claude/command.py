"""`observatory connect`: lets programs that run agents talk with Observatory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import App, CycloptsError, Parameter
from rich.text import Text

from observatory import quoted
from observatory.commands import DASHED, FAILED, OK, Options, check_name, counted, harmless, make_console, note
from observatory_claude.connecting import Places, Wanted, carry_out, changes, of_project, of_user, wanted_for
from observatory_claude.naming import OF_USER, agent_of, connected_agent

app = App(name="connect", help="Let programs that run agents talk with Observatory.")

_FLAG = Parameter(negative="")


@app.command
async def claude(
    *,
    user: Annotated[bool, _FLAG] = False,
    project: Path | None = None,
    agent: Annotated[str | None, DASHED] = None,
    remove: Annotated[bool, _FLAG] = False,
    yes: Annotated[bool, _FLAG] = False,
    dry_run: Annotated[bool, _FLAG] = False,
    options: Options = Options(),  # noqa: B008  # frozen
) -> int:
    """Let Claude Code tell Observatory what its sessions do, and bring them their mail.

    Shows what changes in settings files of Claude Code, and asks. All that is there stays as it is. Where nothing has
    to change, nothing is done. The exit code is 1 when the answer is no.

    Args:
        user: In all projects of whoever is asking: in the user's settings.
        project: In which project; by default in the current folder.
        agent: Whose mail its sessions read, and who they are to others; by default who they were, or else what the
            project's folder is called, or `claude` for the user. A session with `OBSERVATORY_AGENT` set is that agent.
        remove: Take away what of ours is there. What nobody has changed since becomes what it was, to the byte.
        yes: Do not ask.
        dry_run: Only show what would change.
        options: Of which root.
    """
    if user and project is not None:
        raise CycloptsError(msg="--user and --project do not go together: it is all projects, or one")
    if project is not None and not await trio.Path(project).is_dir():
        raise CycloptsError(msg=f"--project: there is no folder {quoted(project)}")
    if agent is not None:
        check_name("agent", agent)
    folder = (project or Path()).absolute()
    places, usual = (of_user(), OF_USER) if user else (of_project(folder), agent_of(folder))
    root = options.settings().root.resolve()
    name = agent or await trio.to_thread.run_sync(connected_agent, places, root) or usual
    wanted = wanted_for(root, name)
    found = await trio.to_thread.run_sync(lambda: changes(places, wanted, remove=remove))
    if not found:
        note("nothing has to change")
        return OK
    for change in found:
        _show(change.difference())
    if dry_run:
        return OK
    if not yes and not _is_agreed(len(found)):
        return FAILED
    await trio.to_thread.run_sync(carry_out, places, found)
    note(f"{counted(len(found), 'file')} changed")
    if not remove:
        _tell_what_next(name, places, wanted)
    return OK


_STYLES = {"---": "bold", "+++": "bold", "@": "cyan", "-": "red", "+": "green"}


def _show(difference: str) -> None:
    """Print a difference; on a terminal, as those are coloured."""
    console = make_console()
    for line in difference.splitlines():
        style = next((style for start, style in _STYLES.items() if line.startswith(start)), "")
        console.print(Text(harmless(line), style), soft_wrap=True)


def _is_agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise CycloptsError(msg="there is nobody to ask: --yes makes it so, --dry-run only shows it")
    try:
        answer = input(f"Change {counted(count, 'file')}? [y/N] ")
    except EOFError:  # Ctrl-D
        return False
    return answer.strip().lower() in ("y", "yes")


def _tell_what_next(name: str, places: Places, wanted: Wanted) -> None:
    note(f"sessions that begin now are the agent {name!r}; one with OBSERVATORY_AGENT=NAME set is that one")
    if wanted.server is None:
        note(f"no MCP server in {places.servers}: trio-observatory-mcp is not installed")
    note("`observatory serve` brings their mail, `observatory doctor` sees whether all is well")
