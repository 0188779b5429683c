"""What `import observatory` takes, against the libraries it cannot do without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import attrs
from harness import Figure, Options, at_most, costs, interleave

_FLOOR = "trio, attrs, cattrs, pluggy"


def measure(options: Options) -> Iterator[Figure]:
    """Measure in fresh processes, three times as many as elsewhere, since each is short."""
    more = attrs.evolve(options, pairs=options.pairs * options.size(3, 1))
    ours, bare = interleave(more, partial(_seconds, "observatory"), partial(_seconds, _FLOOR))
    yield Figure("import observatory", f"import {_FLOOR}", costs(ours, bare), at_most(1.5))


def _seconds(names: str) -> float:
    program = f"import time; start = time.perf_counter(); import {names}; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout)
