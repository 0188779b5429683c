"""How a swarm looks: for people on a terminal, else one line for each thing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import attrs
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from observatory import Pipeline, SwarmState, SwarmTask, to_wire
from observatory.cli.output import counted, harmless, in_words, make_console, print_json, shorten

_MARKS = {
    "completed": ("✓", "green"),
    "in_progress": ("▶", "cyan"),
    "pending": ("·", ""),
    "blocked": ("■", "yellow"),
    "failed": ("✗", "red"),
    "unknown": ("?", "magenta"),
}
_SHOWN_IN_WAVE = 12
_SHOWN = 20
"""Lines of one kind that a person is shown."""


class SwarmView:
    """Shows one state after another, the same one once.

    Args:
        only: the project that is shown; None for all.
        json: whether a program reads it.
    """

    def __init__(self, only: str | None, *, json: bool) -> None:
        self.only = only
        self._json = json
        self._shown: SwarmState | None = None
        self._console = make_console()

    def show(self, state: SwarmState) -> None:
        """Show a state, unless it is the one that was shown last."""
        projects = {name: found for name, found in state.projects.items() if self.only in (None, name)}
        state = attrs.evolve(state, projects=projects)
        if state == self._shown:
            return
        if self._json:
            print_json(to_wire(state), flush=True)
        elif self._console.is_terminal:
            if self._shown is not None:
                self._console.clear()
            self._console.print(_page(state))
        else:
            for cells in _lines(state):
                print("\t".join(map(harmless, cells)), flush=True)
        self._shown = state


def _lines(state: SwarmState) -> Iterator[Sequence[str]]:
    for name, found in state.projects.items():
        yield "project", name, f"{found.counts.get('completed', 0)}/{found.total}", f"{found.progress:.0%}"
        tasks = {task.id: task for task in found.tasks}
        for number, wave in enumerate(found.waves, 1):
            for id in wave:
                task = tasks[id]
                yield "task", name, str(number), id, task.status, task.owner or "-", task.subject
        yield from (("critical", name, " ".join(found.critical_path)),) if found.critical_path else ()
        yield from (("stale", name, id, tasks[id].owner or "-") for id in found.stale)
        yield from (("conflict", name, one.path, *one.tasks) for one in found.conflicts)
        yield from (("blocked", name, one.root, one.reason, *one.waiting) for one in found.blocked)
        yield from (("cycle", name, *cycle) for cycle in found.cycles)
        yield from (("problem", one.where, str(one.line or "-"), one.problem) for one in found.problems)
    yield from (("problem", one.where, str(one.line or "-"), one.problem) for one in state.problems)


def _page(state: SwarmState) -> RenderableType:
    parts: list[RenderableType] = []
    for name, found in state.projects.items():
        parts += [*_project(name, found, active=name == state.active_project), Text()]
    if not state.projects:
        parts.append(Text("there are no tasks: no team works in a folder with a tasks.jsonl, and none was named"))
    parts += [Text(harmless(f"{one.where}: {one.problem}"), "yellow") for one in state.problems[:_SHOWN]]
    return Group(*parts)


def _project(name: str, found: Pipeline, *, active: bool) -> Iterator[RenderableType]:
    tasks = {task.id: task for task in found.tasks}
    done = found.counts.get("completed", 0)
    head = Text.assemble((harmless(_short(name)), "bold"), "  active" if active else "")
    head.append(f"  {done:,} of {counted(found.total, 'task')} completed, {found.progress:.0%}", "dim")
    if found.remaining.seconds is not None and found.remaining.tasks:
        head.append(f", about {in_words(found.remaining.seconds)} to go", "dim")
    yield head
    bar = Table.grid()  # a line of its own
    bar.add_row(ProgressBar(total=max(found.total, 1), completed=done, width=60))
    yield bar
    yield from _waves(found, tasks)
    yield from _at_work(found, tasks)
    yield from _worries(found)


def _waves(found: Pipeline, tasks: dict[str, SwarmTask]) -> Iterator[RenderableType]:
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    open_waves = [wave for wave in found.waves if any(tasks[id].status != "completed" for id in wave)]
    if len(open_waves) < len(found.waves):
        done = counted(len(found.waves) - len(open_waves), "wave")
        yield Text(f"{done} completed", "dim")
    for number, wave in enumerate(found.waves, 1):
        if wave in open_waves[:_SHOWN]:
            table.add_row(Text(f"wave {number}", "dim"), _wave(wave, tasks))
    yield table


def _wave(wave: Sequence[str], tasks: dict[str, SwarmTask]) -> Text:
    text = Text()
    for id in wave[:_SHOWN_IN_WAVE]:
        mark, style = _MARKS[tasks[id].status]
        text.append(f"{mark} {harmless(shorten(id, 40))}  ", style)
    if len(wave) > _SHOWN_IN_WAVE:
        text.append(f"… and {len(wave) - _SHOWN_IN_WAVE:,} more", "dim")
    return text


def _at_work(found: Pipeline, tasks: dict[str, SwarmTask]) -> Iterator[RenderableType]:
    working = [task for task in found.tasks if task.status == "in_progress"]
    if not working:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("Task", "Owner", "Updated", "Subject"):
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    stale = set(found.stale)
    for task in working[:_SHOWN]:
        age = "-" if task.updated is None else f"{in_words((datetime.now(UTC) - task.updated).total_seconds())} ago"
        when = Text(f"{age}, stale" if task.id in stale else age, "yellow" if task.id in stale else "")
        table.add_row(*(Text(harmless(cell)) for cell in (task.id, task.owner or "-")), when, harmless(task.subject))
    yield table


def _worries(found: Pipeline) -> Iterator[RenderableType]:
    def line(what: str, text: str, style: str) -> Text:
        return Text.assemble((f"{what} ", style), harmless(text))

    if found.critical_path:
        path = " → ".join([shorten(id, 40) for id in found.critical_path[:_SHOWN]])
        more = f" … {len(found.critical_path):,} in all" if len(found.critical_path) > _SHOWN else ""
        yield line("critical path", path + more, "bold")
    for one in found.conflicts[:_SHOWN]:
        yield line("conflict", f"{one.path}: {', '.join(one.tasks)}", "yellow")
    for chain in [chain for chain in found.blocked if chain.waiting][:_SHOWN]:
        waiting = counted(len(chain.waiting), "task waits", "tasks wait")
        yield line("blocked", f"{chain.root} ({chain.reason}): {waiting} for it", "red")
    for cycle in found.cycles[:_SHOWN]:
        yield line("cycle", " ⇄ ".join(cycle[:_SHOWN]), "red")
    for problem in found.problems[:_SHOWN]:
        where = "" if problem.line is None else f"line {problem.line}: "
        yield line("problem", f"{where}{problem.problem}", "yellow")


def _short(path: str) -> str:
    home = os.path.expanduser("~")
    return f"~{path.removeprefix(home)}" if path.startswith(home + os.sep) else path
