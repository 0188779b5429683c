"""The suite for plugins passes one that is well made, and finds what is broken."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from observatory import PluginError, Settings, SupervisionSettings
from observatory.testing import PluginConformance

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

MISSPELLED = """
import observatory

@observatory.hookimpl
def observatory_register_policys(registrar):
    pass
"""

LEAKS = """
import os
import observatory

opened = []

@observatory.hookimpl
def observatory_register_policies(registrar):
    opened.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(9))  # more than others close meanwhile
"""

FAILS = """
import observatory

class Failing(observatory.Module):
    async def run(self, *, task_status):
        task_status.started()
        raise OSError("broken")

@observatory.hookimpl
def observatory_register_modules(registrar):
    registrar.register("Failing", lambda context: Failing())
"""

NEVER_DELIVERS = """
import trio
import observatory

class Stuck(observatory.DeliveryChannel):
    async def deliver(self, batch):
        await trio.sleep_forever()

@observatory.hookimpl
def observatory_register_channels(registrar):
    registrar.register("stuck", lambda context: Stuck())
"""

NO_ATTRS = "class settings_class:\n    pass\n"

NOT_EQUAL = "import attrs\n\n@attrs.frozen(eq=False)\nclass settings_class:\n    pass\n"


COMMANDS = """
import observatory
from observatory_trial_group import make

@observatory.hookimpl
def observatory_register_commands(registrar):
    registrar.register("trial", make)
# Beside it:
def make():
    "Try things."
    from cyclopts import App
    trial = App(help="Try things.")

    @trial.command
    async def begin(thing: str) -> None:
        \"\"\"Begin.\"\"\"

    return trial
"""

UNEXPLAINED = COMMANDS.replace('"Begin."', '""')

NO_TEXT = COMMANDS.replace('help="Try things."', "")

NO_GROUP = COMMANDS.replace("return trial", "return begin")

DEAR = "import cyclopts" + COMMANDS

UNLISTED = COMMANDS.replace("make", "make_it")

UNLIKE = COMMANDS.replace('\n    "Try things."', '\n    "Try others."')

ENTRY_POINTS = "[observatory]\ntrial = observatory_trial\n"

LISTED = "[observatory.commands]\ntrial = observatory_trial_group:make\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give what puts a distribution with the plugin `trial` on the path."""

    def write(source: str) -> None:
        metadata = tmp_path / "site/trial-1.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: trial\nVersion: 1\n")
        plugin, _, group = source.partition("# Beside it:\n")
        (metadata / "entry_points.txt").write_text(ENTRY_POINTS + (LISTED if "def make()" in group else ""))
        (metadata.parent / "observatory_trial.py").write_text(plugin)
        (metadata.parent / "observatory_trial_group.py").write_text(group)
        monkeypatch.syspath_prepend(metadata.parent)

    yield write
    sys.modules.pop("observatory_trial_group", None)
    trial = sys.modules.pop("observatory_trial", None)
    for descriptor in getattr(trial, "opened", ()):
        os.close(descriptor)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings under which only the plugin `trial` is loaded."""
    others = {entry_point.name for entry_point in entry_points(group="observatory")}
    return Settings(root=tmp_path / "root", disabled_plugins=tuple(others), plugins={"trial": {}})


class TestTrial(PluginConformance):
    """A plugin that is well made."""

    configuration: ClassVar = {"size": 2}

    @pytest.fixture
    def plugin_name(self, install: Callable[[str], None]) -> str:
        """Install it, and return its name."""
        install(GOOD)
        return "trial"


class TestTrialCommands(PluginConformance):
    """A plugin with a group of commands that is well made."""

    @pytest.fixture
    def plugin_name(self, install: Callable[[str], None]) -> str:
        """Install it, and return its name."""
        install(COMMANDS)
        return "trial"


LAWS = PluginConformance()


def test_not_installed() -> None:
    """A plugin that is not installed is found."""
    with pytest.raises(AssertionError, match="0 entry points in group 'observatory' are called 'trial'; is it instal"):
        LAWS.test_entry_point("trial")


def test_not_importable(install: Callable[[str], None]) -> None:
    """A plugin that cannot be imported fails with what went wrong."""
    install("import no_such_package")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        LAWS.test_entry_point("trial")


async def test_misspelled_hook(install: Callable[[str], None], settings: Settings) -> None:
    """A misspelled hook fails with the name that is nearest."""
    install(MISSPELLED)
    with pytest.raises(PluginError, match="did you mean 'observatory_register_policies'"):
        await LAWS.test_hooks("trial", settings)


async def test_no_hooks(
    install: Callable[[str], None], settings: Settings, broken: Callable[..., Awaitable[str]]
) -> None:
    """A plugin that registers nothing is found."""
    install("def observatory_register_modules(registrar): ...")
    assert "it registers nothing; are its hooks marked" in await broken(LAWS.test_hooks, "trial", settings)


@pytest.mark.parametrize(
    ("source", "finding"), [(NO_ATTRS, "settings_class is no attrs class"), (NOT_EQUAL, "are not equal")]
)
def test_broken_settings(install: Callable[[str], None], source: str, finding: str) -> None:
    """A settings class that is none is found."""
    install(source)
    with pytest.raises(AssertionError, match=finding):
        LAWS.test_settings_class("trial")


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (UNEXPLAINED, "the command 'trial begin' has no text that explains it"),
        (NO_TEXT, "the command 'trial' has no text that explains it"),
        (NO_GROUP, "the factory of 'trial' made a function, which is no App"),
    ],
)
def test_broken_commands(install: Callable[[str], None], settings: Settings, source: str, finding: str) -> None:
    """Commands that do not explain themselves, or are none, are found."""
    install(source)
    with pytest.raises((AssertionError, PluginError), match=finding):
        LAWS.test_commands(settings)


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (UNLISTED, "the help does not list 'trial': no entry point in the group 'observatory.commands' names what ma"),
        (UNLIKE, "the help says of 'trial' 'Try others.', and it 'Try things.'"),
        (UNLIKE.replace('"Try others."', ""), "the help says of 'trial' '', and it 'Try things.'"),
        (
            COMMANDS.replace("def make", "import cyclopts, trio\ndef make"),
            "listing it imports cyclopts and trio; import that where commands are made",
        ),
    ],
)
def test_not_listed(install: Callable[[str], None], settings: Settings, source: str, finding: str) -> None:
    """Commands that the help does not list, or otherwise than they say, or dearly, are found."""
    install(source)
    with pytest.raises(AssertionError, match=finding):
        LAWS.test_listed(settings)


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (DEAR, "it imports cyclopts when it is loaded; import that where commands are made"),
        (MISSPELLED, "a process that loads it fails: (?s:.*)PluginError: plugin 'trial': there is no hook"),
    ],
)
def test_dear(install: Callable[[str], None], settings: Settings, source: str, finding: str) -> None:
    """A plugin that makes every process import cyclopts is found."""
    install(source)
    with pytest.raises(AssertionError, match=finding):
        LAWS.test_cheap("trial", settings)


async def test_without_settings(install: Callable[[str], None], settings: Settings) -> None:
    """A plugin needs no settings; then every setting is unknown."""
    install(FAILS)
    LAWS.test_settings_class("trial")
    await LAWS.test_unknown_setting("trial", settings)
    assert not hasattr(sys.modules["observatory_trial"], "settings_class")


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (LEAKS, "something is left of it"),
        (FAILS, "not everything runs"),
    ],
)
async def test_broken_run(
    install: Callable[[str], None],
    settings: Settings,
    broken: Callable[..., Awaitable[str]],
    source: str,
    finding: str,
) -> None:
    """A plugin that does not start and stop as it should is found."""
    install(source)
    assert finding in await broken(LAWS.test_starts_and_stops, settings)


async def test_undelivered(
    install: Callable[[str], None], settings: Settings, broken: Callable[..., Awaitable[str]]
) -> None:
    """A delivery channel that holds back what it was given is found."""
    install(NEVER_DELIVERS)
    impatient = attrs.evolve(settings, supervision=SupervisionSettings(drain=0))
    assert "could not be delivered" in await broken(LAWS.test_starts_and_stops, impatient)
