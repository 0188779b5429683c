"""Loading skills, against reading their files and frontmatter alone; loading them again; finding one by its name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import trio
import yaml
from harness import Figure, Options, at_most, costs, interleave, interleave_async
from observatory_skills import Skill, SkillRegistry, load

from observatory import PubSub, Subscription

_TEXT = (
    """---
name: {name}
description: Reads what number {number} has printed, and fills in forms. Use it when somebody asks for a form.
license: Apache-2.0
compatibility: Needs Python 3.11
metadata:
  author: the house
  version: "1.{number}"
allowed-tools: Read Bash(python:*) Write
---

# Number {number}

"""
    + "First look at what is there, and then at what is not: both may be of use to somebody.\n" * 40
)


def measure(options: Options) -> Iterator[Figure]:
    """Measure with skills of some 4 KB each, in folders; a reload by process time, as it waits for news."""
    count = options.size(1_000, 20)
    folder = options.make_folder() / "skills"
    _write(folder, count)
    ours, bare = interleave(options, lambda: _time(partial(load, folder)), lambda: _time(partial(_read, folder)))
    floor = "files read, yaml.CSafeLoader"
    yield Figure(f"{count:,} skills: load", floor, costs(ours, bare), at_most(2))
    if find_spec("skills_ref"):
        from skills_ref import read_properties  # type: ignore[import-untyped]

        theirs = _time(lambda: [read_properties(path) for path in folder.iterdir()])
        yield Figure("  skills-ref, read_properties", floor, costs([theirs], bare[:1]))
    first, told, again, least = trio.run(_reload, folder, options)
    yield Figure(f"{count:,} skills: registry started", floor, costs(first, bare), at_most(2))
    yield Figure(f"{count:,} skills: reload, one changed", "registry started", costs(told, first), at_most(0.1))
    yield Figure("  by hand: every skill looked at", "registry started", costs(again, first))
    yield Figure("  by hand: every skill looked at", "os.stat of each", costs(again, least))
    yield from trio.run(_look_up, options)


def _write(folder: Path, count: int) -> None:
    for number in range(count):
        name = f"skill-{number}"
        (folder / name).mkdir(parents=True)
        (folder / name / "SKILL.md").write_text(_TEXT.format(name=name, number=number))


def _read(folder: Path) -> list[object]:
    """Do what nobody can do without."""
    found: list[object] = []
    for path in folder.iterdir():
        text = (path / "SKILL.md").read_text("utf-8")
        found.append(yaml.load(text.split("---", 2)[1], yaml.CSafeLoader))  # it is the safe one
    return found


async def _reload(folder: Path, options: Options) -> Sequence[Sequence[float]]:
    """Measure a start, a reload that knows what has changed, one that does not, and the least that this has to do."""
    async with trio.open_nursery() as nursery:
        pubsub = PubSub()
        watched = folder.with_name("watched")
        _write(watched, len(os.listdir(folder)))
        watching = SkillRegistry([str(watched)], pubsub=pubsub)
        alone = SkillRegistry([str(folder)], watch=False)
        for registry in (watching, alone):
            await nursery.start(registry.run)
        async with pubsub.subscribe("skills:update") as updates:
            result = await interleave_async(
                options,
                partial(_start, folder),
                partial(_change, watched, partial(_told, updates)),
                partial(_change, folder, alone.reload),
                partial(_stat, folder),
            )
        nursery.cancel_scope.cancel()
    return result


async def _start(folder: Path) -> float:
    async with trio.open_nursery() as nursery:
        start = time.process_time()
        await nursery.start(SkillRegistry([str(folder)], watch=False).run)
        seconds = time.process_time() - start
        nursery.cancel_scope.cancel()
    return seconds


async def _told(updates: Subscription) -> object:
    """Wait for the next update: what the registry does then is what a reload costs, and its patience is not."""
    return (await anext(updates)).payload


async def _change(folder: Path, reload: Callable[[], Awaitable[object]]) -> float:
    with (folder / "skill-7" / "SKILL.md").open("a") as file:
        file.write("And then once more.\n")
    start = time.process_time()
    update = await reload()
    seconds = time.process_time() - start
    if getattr(update, "changed", None) != ("skill-7",):
        sys.exit("something else has changed than one skill")
    return seconds


async def _stat(folder: Path) -> float:
    await trio.lowlevel.checkpoint()
    start = time.process_time()
    for name in sorted(os.listdir(folder)):
        os.stat(f"{folder}/{name}/SKILL.md")
    return time.process_time() - start


async def _look_up(options: Options) -> list[Figure]:
    """Measure finding skills by name, of ten times as many."""
    count = options.size(10_000, 20)
    skills = {f"skill-{number}": Skill(f"skill-{number}", "Does something.", "") for number in range(count)}
    names = [*skills] * 10
    async with trio.open_nursery() as nursery:
        registry = SkillRegistry()
        await nursery.start(registry.run)
        await registry.register(skills.values())
        ours, bare = interleave(
            options,
            partial(_time, partial(_get, registry.get, names)),
            partial(_time, partial(_get_bare, skills, names)),
        )
        nursery.cancel_scope.cancel()
    return [Figure(f"{count:,} skills: get", "a dict look-up", costs(ours, bare), at_most(3))]


def _get(get: Callable[[str], object], names: Sequence[str]) -> None:
    for name in names:
        get(name)


def _get_bare(skills: dict[str, Skill], names: Sequence[str]) -> None:
    for name in names:
        skills[name]


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    kept = work()
    seconds = time.perf_counter() - start
    del kept
    return seconds
