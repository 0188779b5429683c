"""The live view: mailboxes, deliveries, messages a second, what was said last."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import trio
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from observatory import Message, Observatory
from observatory.cli.demo.agents import PLANNER, REVIEWER, WORKERS, YOU
from observatory.cli.output import harmless, shorten

_NAMES = (PLANNER, *WORKERS, REVIEWER, YOU)
_COLOURS = {PLANNER: "cyan", REVIEWER: "magenta", YOU: "yellow"}
_TYPES = {"task": "cyan", "report": "green", "question": "magenta", "answer": "blue", "stop": "dim"}
_BAR = 24
_REST = 16
"""Lines of the view beside the messages."""


class LiveView:
    """Redraws the terminal's last lines; a context manager.

    Args:
        observatory: what is shown.
        console: the terminal.
        title: the folder.
    """

    frame = 1 / 25

    def __init__(self, observatory: Observatory, console: Console, title: str) -> None:
        self._observatory = observatory
        self._title = title
        self._start = trio.current_time()
        self._began = observatory.clock.now()
        self._recent: deque[Message] = deque(maxlen=max(console.height - _REST, 3))
        self._counts: deque[tuple[float, int]] = deque()  # of the last second
        self._most_unread = 1
        self._doing: dict[str, str] = {}
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._draw()
        self._live.stop()

    def show(self, messages: Sequence[Message]) -> None:
        """Draw what was sent."""
        now = trio.current_time()
        self._recent.extend(messages)
        self._doing.update({message.from_: f"{message.type} to {message.to}" for message in messages})
        self._counts.append((now, len(messages)))
        while self._counts[0][0] < now - 1:
            self._counts.popleft()
        self._draw()

    def _draw(self) -> None:
        self._live.update(self._render(), refresh=True)

    def _render(self) -> RenderableType:
        body = Group(self._mailboxes(), self._deliveries(), Text(), self._messages_said())
        return Panel(
            body,
            title=Text.assemble(("Observatory", "bold"), ("  ", ""), (self._title, "cyan")),
            title_align="left",
            subtitle=self._rate(),
            subtitle_align="right",
            border_style="dim",
            box=box.ROUNDED,
            padding=(0, 1),
        )

    def _rate(self) -> Text:
        elapsed = trio.current_time() - self._start
        recent = sum(count for _, count in self._counts) / max(min(elapsed, 1.0), self.frame)
        messages = self._observatory.statistics().mailbox.messages
        return Text.assemble(
            (f"{messages:,}", "bold"), " messages  ", (f"{recent:,.0f}", "bold"), "/s  ", f"{elapsed:.1f} s"
        )

    def _mailboxes(self) -> Table:
        table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
        table.add_column("Mailbox", width=10, no_wrap=True)
        table.add_column("Unread", width=_BAR + 6, no_wrap=True)
        table.add_column("Total", width=7, justify="right", no_wrap=True)
        table.add_column("Latest", ratio=1, no_wrap=True, overflow="ellipsis")
        stats = {name: self._observatory.mailbox.agent_stats(name) for name in _NAMES}
        self._most_unread = max(self._most_unread, *(box.unread for box in stats.values()))
        for name, mailbox in stats.items():
            colour = _colour(name)
            bar = self._bar(mailbox.unread, colour)
            table.add_row(Text(name, colour), bar, f"{mailbox.total:,}", Text(self._doing.get(name, ""), "dim"))
        return table

    def _bar(self, unread: int, colour: str) -> Text:
        full = -(-unread * _BAR // self._most_unread)
        return Text.assemble(("━" * full, colour), ("╌" * (_BAR - full), "dim"), f" {unread:>4,}")

    def _deliveries(self) -> Text:
        line = Text(" ")
        for name, lane in self._observatory.statistics().lanes.items():
            waiting = lane.queued + lane.backing_off
            line.append(f"{name} ", "bold")
            line.append(f"{lane.delivered:,} jobs done", "green")  # messages that were taken back count, too
            line.append(f"  {waiting:,} waiting", "yellow" if waiting else "dim")
            line.append(f"  {lane.failures:,} failed   ", "red" if lane.failures else "dim")
        return line

    def _messages_said(self) -> Table:
        table = Table(box=None, expand=True, show_header=False, padding=(0, 1))
        for width in (7, 8, 1, 8, 8):
            table.add_column(width=width, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for message in self._recent:
            said = shorten(harmless(message.content), 200)
            table.add_row(
                Text(f"{(message.timestamp - self._began).total_seconds():.3f}", "dim"),
                Text(message.from_, _colour(message.from_)),
                Text("→", "dim"),
                Text(message.to, _colour(message.to)),
                Text(message.type, _TYPES.get(message.type, "")),
                Text(said),
            )
        return table


def _colour(name: str) -> str:
    return _COLOURS.get(name, "green")
