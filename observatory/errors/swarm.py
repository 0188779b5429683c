"""Errors about the tasks of a swarm."""

from __future__ import annotations

from collections.abc import Iterable

from observatory.errors.tree import ObservatoryError


class NoActiveProjectError(ObservatoryError):
    """Raised when something is to be done with tasks, and nobody has said in which project.

    Attributes:
        projects: the projects there are.
    """

    projects: tuple[str, ...]

    def __init__(self, projects: Iterable[str]) -> None:
        self.projects = tuple(projects)
        known = ", ".join(self.projects[:5]) or "none is known; add one first"
        super().__init__(f"no project is active, so it is open whose tasks are meant; set one active: {known}")


class SwarmSourceError(ObservatoryError):
    """Raised when the tasks of a project, or a team, cannot be read or changed; nothing has happened.

    Attributes:
        project: the project's root, or `team:NAME`.
        reason: what is wrong, and what to do.
    """

    project: str
    reason: str

    def __init__(self, project: str, reason: str) -> None:
        shown = project if project.isprintable() else repr(project)
        super().__init__(f"the tasks of {shown}: {reason}")
        self.project = project
        self.reason = reason


class ChangedMeanwhileError(SwarmSourceError):
    """Raised when somebody else has changed tasks while they were to be changed; nothing was written."""

    def __init__(self, project: str) -> None:
        super().__init__(
            project, "somebody else has changed them meanwhile, so nothing was written; look, and try again"
        )


class TaskRefusedError(ObservatoryError):
    """Raised when something cannot be done with a task as it is; nothing has happened.

    Attributes:
        task: its id.
        status: its status.
        owner: who has it, or None.
        reason: what is not allowed, and why.
    """

    task: str
    status: str
    owner: str | None
    reason: str

    def __init__(self, task: str, status: str, owner: str | None, reason: str) -> None:
        whose = f" of {owner!r}" if owner else ""
        super().__init__(f"task {task!r:.80} is {status}{whose}: {reason}")
        self.task = task
        self.status = status
        self.owner = owner
        self.reason = reason
