"""The table: drawn on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness import Figure
from rich.console import Console
from rich.table import Table

_HEADER = "figure", "floor", "goal", "median", "spread", "holds"


def print_figures(figures: Sequence[Figure], *, judge: bool) -> None:
    """Print every figure.

    Args:
        figures: the figures.
        judge: whether to say if goals hold.
    """
    rows = [_row(figure, judge) for figure in figures]
    if sys.stdout.isatty():
        _print_drawn(rows)
    else:
        _print_plain([_HEADER, *rows])


def _row(figure: Figure, judge: bool) -> tuple[str, ...]:
    goal = figure.goal
    verdict = "no" if figure.missed else "yes"
    return (
        figure.name,
        figure.floor,
        f"{goal.word} {_write(goal.bound, figure.unit)}" if goal else "",
        _write(figure.median, figure.unit),
        f"{_write(min(figure.values))}–{_write(max(figure.values))}",
        verdict if judge and goal else "",
    )


def _write(value: float, unit: str = "") -> str:
    digits = 0 if value >= 100 else 2
    return f"{value:,.{digits}f}{unit and ' '}{unit}"


def _print_drawn(rows: Sequence[tuple[str, ...]]) -> None:
    table = Table()
    for title in _HEADER:
        table.add_column(title, justify="right" if title in ("median", "spread") else "left")
    for row in rows:
        table.add_row(*row, style="red" if row[-1] == "no" else None)
    Console().print(table)


def _print_plain(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
