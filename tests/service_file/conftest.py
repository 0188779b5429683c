"""What the tests of service.json share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from observatory import Clock, Security, ServiceFile, read_service

Doors: TypeAlias = Callable[[], Mapping[str, str] | None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root without anything in it."""
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def path(root: Path) -> Path:
    """Return where the file is to be."""
    return root / "observatory/service.json"


@pytest.fixture
def security() -> Security:
    """Return whose token the file tells."""
    return Security()


@pytest.fixture
def file(root: Path, security: Security) -> Iterator[ServiceFile]:
    """Return what a service tells of itself by; its doors are withdrawn at the end."""
    file = ServiceFile(root, security, Clock())
    yield file
    file.withdraw("websocket")
    file.withdraw("http")


@pytest.fixture
def doors(root: Path) -> Doors:
    """Return what reads the doors of the service that runs; None where none does."""

    def doors() -> Mapping[str, str] | None:
        info = read_service(root)
        return None if info is None else info.doors

    return doors
