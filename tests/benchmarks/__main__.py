"""Measure against floors on this machine: `python tests/benchmarks [NAME…] [--pairs N] [--quick] [--folder FOLDER]`."""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bystanders
import depth
import events
import fan_out
import hook
import imports
import inbox
import mcp_tools
import plain_module_rule
import presence
import resident
import restart
import sends
import skills
import stored
import swarm
import team
import websocket_fan_out
import websocket_requests
import websocket_stuck
from harness import Figure, Options
from report import print_figures

SUBJECTS: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "inbox": inbox.measure,
    "team": team.measure,
    "restart": restart.measure,
    "stored": stored.measure,
    "sends": sends.measure,
    "depth": depth.measure,
    "fan-out": fan_out.measure,
    "resident": resident.measure,
    "imports": imports.measure,
    "swarm": swarm.measure,
    "lint": plain_module_rule.measure,
    "presence": presence.measure,
    "skills": skills.measure,
    "mcp": mcp_tools.measure,
    "events": events.measure,
    "hook": hook.measure,
    "bystanders": bystanders.measure,
    "websocket-fan-out": websocket_fan_out.measure,
    "websocket-requests": websocket_requests.measure,
    "websocket-stuck": websocket_stuck.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and print the table; return 1 when a goal does not hold."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure ratios to floors, in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"subjects, by default all: {', '.join(SUBJECTS)}")
    parser.add_argument("--pairs", type=int, default=7, help="interleaved pairs per figure (default: 7)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, nothing is judged")
    parser.add_argument("--folder", type=Path, default=Path(), help="where files are written (default: here)")
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in SUBJECTS:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(SUBJECTS)}")
    if given.pairs < 1:
        parser.error("--pairs must be at least 1")
    with tempfile.TemporaryDirectory(prefix=".benchmark-", dir=given.folder) as folder:
        options = Options(pairs=given.pairs, quick=given.quick, folder=Path(folder))
        figures = list(_measure(given.names or list(SUBJECTS), options))
    print_figures(figures, judge=not options.quick)
    return int(not options.quick and any(figure.missed for figure in figures))


def _measure(names: Sequence[str], options: Options) -> Iterator[Figure]:
    gc.freeze()  # as `observatory serve` does
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        yield from SUBJECTS[name](options)


if __name__ == "__main__":
    sys.exit(main())
