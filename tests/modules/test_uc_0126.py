"""UC-0126: the canonical modules are plain, always present, and never replaced."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

import observatory.modules
from observatory import CanonicalNameError, Mailbox, Module, Notes, Observatory, Presence, Settings, open_observatory
from observatory.testing import observatory_plugin

Open = Callable[..., AbstractAsyncContextManager[Observatory]]

FILES = sorted(Path(observatory.modules.__path__[0]).glob("*.py"))
DATABASES = {"sqlite3", "dbm", "shelve", "sqlalchemy", "django", "peewee", "redis", "pymongo", "psycopg", "tinydb"}


def test_s2_mailbox_is_never_replaced_with_a_persistent_resource() -> None:
    """What the canonical modules import, directly or not, brings no database into the process."""
    program = "import sys; from observatory.modules import mailbox, notes, presence; print(*sys.modules)"
    # Measuring coverage in that process would bring in a database of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "observatory" in loaded
    assert not loaded & DATABASES


@pytest.mark.parametrize("canonical", [Mailbox, Notes, Presence])
async def test_canonical_modules_are_present_in_the_application(open_here: Open, canonical: type[Module]) -> None:
    """Each one is a plain module: a task under the supervisor and a table made in `__init__`."""
    async with open_here() as obs:
        assert type(obs.module(canonical)) is canonical
        states = {child.name: child.state for child in obs.health().children}
        assert states[f"module:{canonical.__name__}"] == "running"
    assert inspect.iscoroutinefunction(canonical.run)


@pytest.mark.parametrize("name", ["Mailbox", "Notes", "Presence", "ProtocolTracker", "SwarmMonitor"])
async def test_f1_replacing_a_canonical_module_is_refused(root: Path, name: str) -> None:
    """A plugin that registers a module under a canonical name does not load."""
    plugin = observatory_plugin("usurper", modules={name: lambda context: pytest.fail("it is never made")})
    with pytest.raises(CanonicalNameError, match=f"'{name}' is a canonical module"):
        async with open_observatory(Settings(root=root), plugins=[plugin]):
            pytest.fail("it must not open")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_modules_compile_without_a_warning(path: Path) -> None:
    """No file of the modules gives a warning when it is compiled."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    assert [str(warning.message) for warning in given] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a1_modules_stay_under_300_lines(path: Path) -> None:
    """A module that would exceed 300 lines is split."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
