"""The extension point of skills: where they come from, and what is found there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Literal, TypeAlias

import attrs
import trio

from observatory.problems import Problem

SkillScope: TypeAlias = Literal["project", "user"]
"""Whose a skill is: the project's, whose skills count only when it is trusted, or the user's."""

SKILL_FILE = "SKILL.md"
"""The file that makes a folder a skill."""


@attrs.frozen(eq=False)
class SkillFile:
    """A skill as a source finds it: nothing of it is checked yet."""

    folder: str
    """The name of its folder, or what that would be: the skill has to be called the same."""
    location: str
    """Where its SKILL.md is, as an agent is told: a path, or another address."""
    head: bytes
    """SKILL.md from its beginning, at least as far as its frontmatter goes, or 64 KiB."""
    scope: SkillScope = "user"
    """Whose it is."""
    stamp: Hashable = None
    """What tells the source whether it has changed; nobody else looks at it."""


class SkillSource(ABC):
    """A place that skills come from, such as folders.

    Laws:
        - `load` returns nothing where nothing is.
        - `load` returns every skill that is there, each location once; of two with one name the first counts.
        - What cannot be read is a `Problem` that says where, and takes no other skill with it.
        - What has not changed since is the same object as in `known`, and what has is another one.
        - `load_changed` returns the same, of what `watch` has told.
        - `resources` returns relative paths with `/` between, in order, each once, and SKILL.md not among them.
        - `read` returns what stands in each of those, and SKILL.md as a whole, of which `head` is the beginning.
        - Any other path is an `UnknownNameError`: nothing outside of the skill can be read, whatever the path is.
        - Looking changes nothing, and gives everything back, also when it is cancelled.
        - `watch` calls `task_status.started()` once it misses nothing any more, and runs until it is cancelled.
    """

    @abstractmethod
    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """Look at everything.

        Args:
            known: what was found before.

        Raises:
            SkillSourceError: nothing can be told, so that what was known still holds.
        """

    async def load_changed(
        self, known: Sequence[SkillFile | Problem], paths: Collection[str]
    ) -> Sequence[SkillFile | Problem]:
        """Look at what has changed, and at nothing else where that can be; by default that is everything.

        Args:
            known: all that was found before.
            paths: what `watch` has told: nothing else has changed since.

        Returns:
            Everything, as `load` does.

        Raises:
            SkillSourceError: nothing can be told, so that what was known still holds.
        """
        return await self.load([one for one in known if isinstance(one, SkillFile)])

    @abstractmethod
    async def resources(self, skill: SkillFile) -> Sequence[str]:
        """Return the paths of all files of a skill but SKILL.md.

        Raises:
            SkillSourceError: it is not there any more, or cannot be read.
        """

    @abstractmethod
    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Return what stands in a file of a skill.

        Raises:
            UnknownNameError: the skill has no such file.
            SkillSourceError: it cannot be read.
        """

    async def watch(
        self, changed: Callable[..., None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Call `changed` whenever something may have changed, until cancelled; by default nothing is ever told.

        Args:
            changed: called with the paths that have, for `load_changed`; with none where it may be anything.
            task_status: told when nothing is missed any more.
        """
        task_status.started()
        await trio.sleep_forever()
