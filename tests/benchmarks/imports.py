"""What it takes to import the usual names of `observatory`, against the libraries they cannot do without."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial

import attrs
from harness import Figure, Options, at_most, costs, interleave

_FLOOR = "trio, attrs, cattrs, pluggy"


def measure(options: Options) -> Iterator[Figure]:
    """Measure in fresh processes, three times as many as elsewhere, since each is short."""
    more = attrs.evolve(options, pairs=options.pairs * options.size(3, 1))
    with tempfile.TemporaryDirectory() as cache:
        sides = [partial(_seconds, names, cache) for names in ("observatory.usual", _FLOOR)]
        for compile_first in sides:
            compile_first()
        ours, bare = interleave(more, *sides)
    yield Figure("from observatory import Message", f"import {_FLOOR}", costs(ours, bare), at_most(1.5))


def _seconds(names: str, cache: str) -> float:
    """Import in a fresh process whose bytecode is cached, whatever this machine says about that."""
    program = f"import time; start = time.perf_counter(); import {names}; print(time.perf_counter() - start)"
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    return float(done.stdout)
