"""What every benchmark shares: whose turn it is, what a figure is, and how big a run is."""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

import attrs

from observatory import DeliverySettings, MailboxSettings, Settings

MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108  # the usual file system in memory, where there is one


@attrs.frozen
class Options:
    """How to run."""

    pairs: int
    """Interleaved pairs per figure."""
    quick: bool
    """Sizes too small to judge by: only to see that everything runs."""
    folder: Path
    """A folder on disk that is removed when all is measured."""

    def make_folder(self) -> Path:
        """Make a folder for one benchmark.

        It stays until all is measured: ext4 does not use an inode again for minutes after its file was removed, and
        searches longer for each that it passes over, which would be paid by whoever comes next.
        """
        return Path(tempfile.mkdtemp(dir=self.folder))

    def size(self, full: int, quick: int) -> int:
        """Return how many operations to do."""
        return quick if self.quick else full


@attrs.frozen
class Goal:
    """What a figure must reach."""

    word: Literal["at least", "at most"]
    """Which side of the bound is good."""
    bound: float
    """The bound, in the figure's unit."""

    def holds(self, value: float) -> bool:
        """Tell whether a value reaches the goal."""
        return value >= self.bound if self.word == "at least" else value <= self.bound


@attrs.frozen
class Figure:
    """One line of the table: a value per pair, mostly ratios."""

    name: str
    """What was measured."""
    floor: str
    """What it was compared with."""
    values: Sequence[float]
    """One per pair."""
    goal: Goal | None = None
    """None for a figure that is only printed."""
    unit: str = ""
    """Empty for a ratio."""

    @property
    def median(self) -> float:
        """The value that counts."""
        return statistics.median(self.values)

    @property
    def missed(self) -> bool:
        """Whether there is a goal and it does not hold."""
        return self.goal is not None and not self.goal.holds(self.median)


def at_least(bound: float) -> Goal:
    """Return a goal for speeds."""
    return Goal("at least", bound)


def at_most(bound: float) -> Goal:
    """Return a goal for costs."""
    return Goal("at most", bound)


def speeds(ours: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Turn seconds into how fast ours is in units of the floor, pair by pair."""
    return [bare / own for own, bare in zip(ours, floor, strict=True)]


def costs(ours: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Turn seconds into what ours costs in units of the floor, pair by pair."""
    return [own / bare for own, bare in zip(ours, floor, strict=True)]


def interleave(options: Options, *sides: Callable[[], float]) -> list[list[float]]:
    """Run every side once in each pair and return the seconds of each side."""
    seconds: list[list[float]] = [[] for _ in sides]
    for side in _turns(options, len(sides)):
        gc.collect()  # nobody pays for the garbage of the other side
        seconds[side].append(sides[side]())
    return [all_of_one[-options.pairs :] for all_of_one in seconds]


async def interleave_async(options: Options, *sides: Callable[[], Awaitable[float]]) -> list[list[float]]:
    """Do the same with sides that share one event loop."""
    seconds: list[list[float]] = [[] for _ in sides]
    for side in _turns(options, len(sides)):
        gc.collect()
        seconds[side].append(await sides[side]())
    return [all_of_one[-options.pairs :] for all_of_one in seconds]


def _turns(options: Options, sides: int) -> Iterator[int]:
    """Yield whose turn it is, in every second pair in reverse; but for `quick` the first pair only warms up."""
    for pair in range(options.pairs + (not options.quick)):
        order = range(sides)
        yield from order if pair % 2 else reversed(order)


def settings(
    root: str | Path,
    *plugins: str,
    max_messages: int = 10_000_000,
    delivery: DeliverySettings | None = None,
) -> Settings:
    """Return settings whose caps nothing reaches, with these of the installed plugins and no other."""
    installed = {entry_point.name for entry_point in entry_points(group="observatory")}
    if missing := set(plugins) - installed:
        raise SystemExit(f"this benchmark needs the plugin {', '.join(sorted(missing))}, which is not installed")
    return Settings(
        root=Path(root),
        mailbox=MailboxSettings(max_messages=max_messages, max_bytes=1 << 40, max_total_bytes=1 << 40),
        delivery=delivery or DeliverySettings(),
        disabled_plugins=tuple(sorted(installed - set(plugins))),
    )
