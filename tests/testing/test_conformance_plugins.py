"""The suite for plugins passes the ones that are installed, and finds what is broken."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from observatory import Context, PluginError, Settings
from observatory.testing import PluginConformance
from observatory.testing.plugins import load

Install: type = Callable[[str], None]

GOOD = """
import attrs
import observatory

@attrs.frozen
class settings_class:
    size: int = 1

@observatory.hookimpl
def observatory_register_policies(registrar):
    registrar.register("nothing", lambda draft: draft)
"""

NO_SETTINGS = "class settings_class:\n    pass\n"

NO_EQUAL_SETTINGS = """
import attrs

@attrs.frozen(eq=False)
class settings_class:
    pass
"""

LEAKS = """
import os
import observatory

@observatory.hookimpl
def observatory_register_policies(registrar):
    os.open(os.devnull, os.O_RDONLY)
"""

FAILS = """
import observatory

class Module(observatory.Module):
    async def run(self, *, task_status):
        raise OSError("broken")

@observatory.hookimpl
def observatory_register_modules(registrar):
    registrar.register("Failing", lambda context: Module())
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts a distribution with the plugin `trial` on the path."""

    def write(source: str) -> None:
        site = tmp_path / "site"
        metadata = site / "trial-1.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: trial\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text("[observatory]\ntrial = observatory_trial\n")
        (site / "observatory_trial.py").write_text(source)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(__import__("sys").modules, "observatory_trial", raising=False)

    return write
