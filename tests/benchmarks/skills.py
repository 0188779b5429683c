"""Loading skills, against reading their files and frontmatter alone; loading them again; finding one by its name."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import trio
import yaml
from harness import Figure, Options, at_most, costs, interleave, interleave_async
from observatory_skills import Skill, SkillRegistry, load

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
    """Measure with skills of some 4 KB each, in folders."""
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
    first, again = trio.run(_reload, folder, options)
    yield Figure(f"{count:,} skills: registry started", floor, costs(first, bare), at_most(2))
    yield Figure(f"{count:,} skills: reload, one changed", "registry started", costs(again, first), at_most(0.1))
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
    """Measure how long it takes until a registry is ready, and to load again when one skill has changed."""
    async with trio.open_nursery() as nursery:
        registry = SkillRegistry([str(folder)], watch=False)
        await nursery.start(registry.run)
        result = await interleave_async(options, partial(_start, folder), partial(_change, folder, registry))
        nursery.cancel_scope.cancel()
    return result


async def _start(folder: Path) -> float:
    async with trio.open_nursery() as nursery:
        start = time.perf_counter()
        await nursery.start(SkillRegistry([str(folder)], watch=False).run)
        seconds = time.perf_counter() - start
        nursery.cancel_scope.cancel()
    return seconds


async def _change(folder: Path, registry: SkillRegistry) -> float:
    with (folder / "skill-7" / "SKILL.md").open("a") as file:
        file.write("And then once more.\n")
    start = time.perf_counter()
    update = await registry.reload()
    seconds = time.perf_counter() - start
    if update.changed != ("skill-7",):
        sys.exit(f"not one skill has changed: {update}")
    return seconds


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
