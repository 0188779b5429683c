"""What tests of the source of tasks share: a root, a project, and what lies in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trio

from observatory.sources.file_source import FileSource

WriteTeam: TypeAlias = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root in which nothing lies."""
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project without tasks."""
    project = tmp_path / "project"
    project.mkdir()
    return project


@pytest.fixture
def source(root: Path) -> FileSource:
    """Return the source on the root."""
    return FileSource(root)


@pytest.fixture
def write_team(root: Path) -> WriteTeam:
    """Return what writes the config of a team, whose members each work in a folder, and returns its path."""

    def write_team(name: str, *folders: object, archived: bool = False, **fields: Any) -> Path:
        folder = root / "observatory" / "archive" / name / "team" if archived else root / "teams" / name
        folder.mkdir(parents=True, exist_ok=True)
        members = [{"name": f"m{number}", "cwd": str(cwd)} for number, cwd in enumerate(folders)]
        config = folder / "config.json"
        config.write_text(json.dumps({"name": name, "members": members} | fields))
        return config

    return write_team


@pytest.fixture
def write_task(root: Path) -> Callable[..., Path]:
    """Return what writes one of the tasks that Claude Code keeps for a team, and returns its path."""

    def write_task(team: str, number: object, content: Any = None) -> Path:
        folder = root / "tasks" / team
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number}.json"
        text = content if isinstance(content, str) else json.dumps(content or {"id": "1", "status": "pending"})
        path.write_text(text)
        return path

    return write_task


@pytest.fixture
def hurried_clock() -> trio.testing.MockClock:
    """Make pauses between attempts pass at once, although threads work meanwhile."""
    return trio.testing.MockClock(rate=1_000)
