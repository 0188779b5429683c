"""`observatory connect`: lets programs that run agents talk with Observatory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import App, CycloptsError, Parameter

from observatory import Settings
from observatory.commands import FAILED, OK, Options, counted, harmless, note
from observatory_claude.connecting import Places, Wanted, changes, of_project, of_user
from observatory_claude.entries import wanted_hooks, wanted_server

app = App(name="connect", help="Let programs that run agents talk with Observatory.")

_FLAG = Parameter(negative="")


@app.command
async def claude(
    *,
    user: Annotated[bool, _FLAG] = False,
    project: Path | None = None,
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
        remove: Take away what of ours is there. What nobody has changed since becomes what it was, to the byte.
        yes: Do not ask.
        dry_run: Only show what would change.
        options: Of which root.
    """
    if user and project is not None:
        raise CycloptsError(msg="--user and --project do not go together: it is all projects, or one")
    places = of_user() if user else of_project((project or Path()).absolute())
    wanted = wanted_of(options.settings())
    found = await trio.to_thread.run_sync(lambda: changes(places, wanted, remove=remove))
    if not found:
        note("nothing has to change")
        return OK
    for change in found:
        print(harmless(change.difference(), lines=True))
    if dry_run:
        return OK
    if not yes and not _is_agreed(len(found)):
        return FAILED
    for change in found:
        await trio.to_thread.run_sync(change.carry_out)
    note(_told(places, wanted, count=len(found), remove=remove))
    return OK


def wanted_of(settings: Settings) -> Wanted:
    """Return what our entries are for a root."""
    root = settings.root.resolve()
    return Wanted(wanted_hooks(root), wanted_server(root))


def _is_agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise CycloptsError(msg="there is nobody to ask: --yes makes it so, --dry-run only shows it")
    try:
        answer = input(f"Change {counted(count, 'file')}? [y/N] ")
    except EOFError:  # Ctrl-D
        return False
    return answer.strip().lower() in ("y", "yes")


def _told(places: Places, wanted: Wanted, *, count: int, remove: bool) -> str:
    changed = f"{counted(count, 'file')} changed"
    if remove:
        return changed
    told = f"{changed}; sessions that begin now are told of, `observatory doctor` sees whether all is well"
    return (
        told if wanted.server else f"{told}; no MCP server in {places.servers}: trio-observatory-mcp is not installed"
    )
