"""`observatory demo`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import attrs
import trio
from rich.text import Text

from observatory import InvalidInputError, Message, Observatory, Settings
from observatory.cli.demo import agents
from observatory.cli.demo.plain import PlainShow
from observatory.cli.demo.report import NUMBERS, sections_from
from observatory.cli.demo.show import Show, follow
from observatory.cli.demo.view import LiveView
from observatory.cli.endings import OK
from observatory.cli.opening import opened_on_files
from observatory.cli.options import Options
from observatory.cli.output import counted, harmless, make_console, make_table


async def demo(folder: str | None = None, /, *, options: Options = Options()) -> int:  # noqa: B008  # frozen
    """Watch agents do a small real piece of work: they read a folder and tell what they found.

    A planner hands out the files, workers read and report, a reviewer asks back. All they say goes through their
    mailboxes, and so does the report: it is the message in the mailbox of `you`.

    Args:
        folder: What they read; by default `docs` in the current folder, or else that.
        options: Where the inboxes are; by default in a new temporary folder, which is kept.
    """
    settings = options.settings()
    root = options.root or await trio.to_thread.run_sync(_make_root)
    await run(await _folder_to_read(folder), attrs.evolve(settings, root=root))
    return OK


async def run(folder: Path, settings: Settings) -> None:
    """Open an Observatory, let the agents work, and print what came of it.

    Args:
        folder: what they read.
        settings: with the root where the inboxes are.
    """
    console = make_console()
    start = trio.current_time()
    async with opened_on_files(settings, recover=()) as observatory:
        if console.is_terminal and not console.is_dumb_terminal:
            with LiveView(observatory, console, harmless(str(folder))) as view:
                report = await work(observatory, folder, view)
        else:
            report = await work(observatory, folder, PlainShow(observatory.clock.now()))
        messages = observatory.statistics().mailbox.messages
    elapsed = trio.current_time() - start
    if console.is_terminal:
        _print_tables(report)
    else:
        print(f"\n{report.content}")
    requests = report.metadata["requests"]
    print(f"{counted(messages, 'message')}, {counted(requests, 'request')} among them, in {elapsed:.2f} s")
    _print_whereabouts(harmless(str(settings.root)))


async def work(observatory: Observatory, folder: Path, show: Show) -> Message:
    """Start the agents, wait until they have done their work, and return what they have sent to you."""
    mailbox = observatory.mailbox
    async with trio.open_nursery() as nursery:
        await nursery.start(follow, observatory, show)
        for name in agents.WORKERS:
            nursery.start_soon(agents.worker, mailbox, name, folder)
        nursery.start_soon(agents.reviewer, mailbox)
        nursery.start_soon(agents.planner, mailbox, folder)
    return await mailbox.receive(agents.YOU)


def _make_root() -> str:
    return tempfile.mkdtemp(prefix="observatory-demo-")


async def _folder_to_read(name: str | None) -> Path:
    if name is None:
        return Path("docs") if await trio.Path("docs").is_dir() else Path()
    if not await trio.Path(name).is_dir():
        raise InvalidInputError("folder", f"{name} is no folder")
    return Path(name)


def _print_tables(report: Message) -> None:
    console = make_console()
    console.print()
    for section in sections_from(report.metadata):
        console.print(make_table(section.columns, section.rows, numbers=NUMBERS, title=section.title))
    console.print(Text(report.metadata["headline"], "bold green"))


def _print_whereabouts(root: str) -> None:
    print(f"The inboxes are in {root}/inbox. The report waits in yours:")
    print(f"  observatory inbox {agents.YOU} --root {root}")
