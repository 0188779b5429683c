"""Skills by name, for everybody in the program: loaded at the start, loaded again while it runs."""

from __future__ import annotations

import logging
import math
import os
from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, ClassVar, Literal

import trio

from observatory import (
    SKILL_FILE,
    ForbiddenError,
    Identity,
    InvalidInputError,
    PubSub,
    Service,
    SkillSource,
    SkillSourceError,
    UnknownNameError,
)
from observatory_skills.cataloguing import catalogue
from observatory_skills.contents import NOTHING, ByHand, NotRunning, contents_of, difference
from observatory_skills.loading import body_in, find, read_resource, resources
from observatory_skills.news import News
from observatory_skills.sources import Found, ask, sources_of_user
from observatory_skills.values import Loaded, Resource, Skill, SkillsUpdate

RETRY = 5.0
"""Seconds after which it is tried again, where that has failed."""

_log = logging.getLogger("observatory.skills")


class SkillRegistry(Service):
    """Skills by name.

    As a service of Observatory it is `obs.service("skills")`. It is as useful alone, in anybody's nursery, and several
    are, side by side: `registry = SkillRegistry(paths=["skills"])`, then `await nursery.start(registry.run)`.

    Reading is plain functions on something that never changes: whoever reads sees the skills before a reload or those
    after it, and waits for nobody. A reload that fails changes nothing.

    Args:
        paths: folders with skills, the first one before the others; such skills are the user's.
        sources: where else they come from, by name, the first one before the others.
        name: what it is called: changes are told on the topic `NAME:update`, as `SkillsUpdate`.
        trusted: whether skills of the project count.
        watch: whether skills are loaded again when a source tells of a change.
        reload_interval: seconds, above 0, after which they are at the latest; None for only then.
        pubsub: where changes are told; None for nowhere.

    Attributes:
        name: what it is called.
        pubsub: where changes are told.
    """

    exposes: ClassVar[Collection[str]] = (
        "list",
        "get",
        "count",
        "find_matching",
        "loaded",
        "catalogue",
        "body",
        "resources",
        "get_resource",
        "reload",
    )

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]] = (),
        *,
        sources: Mapping[str, SkillSource] | None = None,
        name: str = "skills",
        trusted: bool = False,
        watch: bool = True,
        reload_interval: float | None = None,
        pubsub: PubSub | None = None,
    ) -> None:
        if reload_interval is not None and not reload_interval > 0:  # NaN is not, either
            raise InvalidInputError("reload_interval", f"expected more than 0 seconds, got {reload_interval!r}")
        self.name = name
        self._sources = {**sources_of_user(paths), **(sources or {})}
        self._trusted = trusted
        self._watch = watch
        self._interval = reload_interval
        self.pubsub = pubsub
        self._contents = NOTHING
        self._by_hand = ByHand()
        self._index: Mapping[str, Skill] = NotRunning(name, "is not started: await nursery.start(registry.run)")
        self._runs = self._running = False  # whether it can be read; whether a task runs it
        self._turn = trio.Lock()
        self._news = News()
        self._reloads = 0
        self._failure: str | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Load everything, and load it again when something changes, until cancelled.

        Raises:
            SkillSourceError: nothing could be loaded at the start.
            trio.BusyResourceError: another task runs it.
        """
        if self._running:
            raise trio.BusyResourceError(f"skill registry {self.name!r} is run by another task: make a second one")
        self._runs = self._running = True
        try:
            await self._load()
            async with trio.open_nursery() as nursery:
                for name, source in self._sources.items() if self._watch else ():
                    await nursery.start(source.watch, partial(self._news.hear, name))
                if self._watch:
                    await self._load()  # what has changed before somebody watched
                task_status.started()
                await self._follow()
        finally:
            self._running = False
            if trio.current_effective_deadline() == -math.inf:  # where it has failed, it is still read, and run again
                self._runs, self._index = False, NotRunning(self.name, "is closed")

    def list(self) -> tuple[Skill, ...]:
        """Return the skills that count, in the order of precedence."""
        return tuple(self._index.values())

    def get(self, name: str) -> Skill | None:
        """Return the skill of a name, in whichever of Unicode's forms that is; None when there is none."""
        try:
            return self._index[name]
        except KeyError:
            return find(self._index, name)

    def count(self) -> int:
        """Return how many skills count."""
        return len(self._index)

    def find_matching(self, pattern: str) -> tuple[Skill, ...]:
        """Return the skills whose names match a pattern as of file names, such as `pdf-*`."""
        if not isinstance(pattern, str):
            raise InvalidInputError("pattern", f"expected a string such as 'pdf-*', got {type(pattern).__name__}")
        return tuple([skill for name, skill in self._index.items() if fnmatchcase(name, pattern)])

    def loaded(self) -> Loaded:
        """Return what counts, what is wrong, what is shadowed, and what is not trusted."""
        len(self._index)  # refuses where there is nothing
        return self._contents.loaded

    def catalogue(self, *, format: Literal["xml", "json"] = "xml", max_chars: int | None = None) -> str:
        """Return what an agent is told of all skills; see `observatory_skills.catalogue`."""
        return catalogue(self.list(), format=format, max_chars=max_chars)

    async def body(self, name: str) -> str:
        """Return the instructions of a skill: what stands in its SKILL.md behind the frontmatter.

        Raises:
            UnknownNameError: there is no such skill.
            SkillSourceError: it cannot be read, or not any more.
        """
        return body_in(await self.read_resource(name, SKILL_FILE), self._skill(name).location)

    async def resources(self, name: str) -> tuple[str, ...]:
        """Return the paths of the other files of a skill; errors as of `body`."""
        skill = self._skill(name)
        file = self._contents.files.get(skill.location)
        if file is None:
            return await trio.to_thread.run_sync(resources, skill, abandon_on_cancel=True)
        return tuple(await self._sources[skill.source].resources(file))

    async def read_resource(self, name: str, path: str) -> bytes:
        """Return what stands in a file of a skill.

        Raises:
            UnknownNameError: there is no such skill, or it has no such file.
            SkillSourceError: it cannot be read, or not any more.
        """
        skill = self._skill(name)
        file = self._contents.files.get(skill.location)
        if file is None:
            return await trio.to_thread.run_sync(read_resource, skill, path, abandon_on_cancel=True)
        return await self._sources[skill.source].read(file, path)

    async def get_resource(self, name: str, path: str) -> Resource:
        """Return what stands in a file of a skill, as JSON can hold it; errors as of `read_resource`."""
        data = await self.read_resource(name, path)
        try:
            return Resource(path, data.decode(), None)
        except UnicodeDecodeError:
            return Resource(path, None, b64encode(data).decode())

    async def register(self, skills: Iterable[Skill]) -> SkillsUpdate:
        """Add skills that the program has loaded itself; they come before all that is found, and stay over a reload.

        Returns:
            What has become different.

        Raises:
            InvalidInputError: one of them is no skill.
        """
        added = {}
        for skill in skills:
            if not isinstance(skill, Skill):
                raise InvalidInputError("skills", f"expected skills, got {type(skill).__name__}")
            added[skill.name] = skill
        async with self._turn:
            len(self._index)  # refuses where it does not run
            by_hand = ByHand({**self._by_hand.registered, **added}, self._by_hand.withdrawn.difference(added))
            return await self._take(self._contents.found, by_hand)

    async def unregister(self, name: str) -> SkillsUpdate:
        """Take a skill away, wherever it came from: there is none of that name until it is registered again.

        Returns:
            What has become different.

        Raises:
            UnknownNameError: there is no such skill.
        """
        async with self._turn:
            name = self._skill(name).name
            others = {other: skill for other, skill in self._by_hand.registered.items() if other != name}
            by_hand = ByHand(others, self._by_hand.withdrawn | {name})
            return await self._take(self._contents.found, by_hand)

    async def reload(self, *, identity: Identity | None = None) -> SkillsUpdate:
        """Look at every source again, and take over what is found, all at once.

        Returns:
            What has become different.

        Raises:
            SkillSourceError: a source could not tell anything; nothing has changed.
            ForbiddenError: an agent asks for it.
        """
        if identity is not None and identity.name is not None:
            raise ForbiddenError("only the holder of the service's own token may load skills again")
        len(self._index)  # refuses where it does not run
        return await self._load()

    def statistics(self) -> Mapping[str, Any]:
        """Return how many skills there are, how often they were loaded, and why that failed the last time."""
        loaded = self._contents.loaded
        return {
            "skills": len(loaded.skills),
            "flaws": len(loaded.flaws),
            "shadowed": len(loaded.shadowed),
            "untrusted": len(loaded.untrusted),
            "reloads": self._reloads,
            "failure": self._failure,
        }

    def _skill(self, name: str) -> Skill:
        skill = self.get(name)
        if skill is None:
            raise UnknownNameError("skill", name, self._index)
        return skill

    async def _follow(self) -> None:
        at_the_latest = math.inf if self._interval is None else self._interval
        wait = at_the_latest
        while True:
            with trio.move_on_after(wait) as rest:
                await self._news.wait()
            wait = at_the_latest
            changed = self._news.take()
            try:  # what had changed before a load that failed is not known any more
                await self._load(None if rest.cancelled_caught or self._failure else changed)
            except SkillSourceError as error:  # what there was still holds
                _log.warning("skills are not loaded again, and stay as they were: %s", error)
                wait = RETRY

    async def _load(self, changed: Mapping[str, Collection[str] | None] | None = None) -> SkillsUpdate:
        """Load again what has changed, by the names of sources; None for anything."""
        async with self._turn:
            try:
                found = await ask(self._sources, self._contents.found, changed)
            except SkillSourceError as error:
                self._failure = str(error)
                raise
            self._failure = None
            self._reloads += 1
            return await self._take(found, self._by_hand)

    async def _take(self, found: Found, by_hand: ByHand) -> SkillsUpdate:
        """Take over what was found: it is read in a thread, as that is work, and then all is exchanged at once."""
        build = partial(contents_of, found, by_hand, self._contents, trusted=self._trusted)
        before, after = self._contents, await trio.to_thread.run_sync(build)
        if not self._runs:
            len(self._index)  # refuses: it was closed meanwhile
        self._contents, self._index, self._by_hand = after, after.index, by_hand
        update = difference(self.name, before, after)
        if self.pubsub is not None and (update.added or update.changed or update.removed):
            names = (*update.added, *update.changed, *update.removed)
            self.pubsub.publish(f"{self.name}:update", update, size=sum(map(len, names)))
        return update
