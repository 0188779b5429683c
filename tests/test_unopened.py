"""Parts of plugins without an Observatory that is open, and sources of skills with one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from observatory import (
    AsgiApp,
    Context,
    InvalidInputError,
    PluginError,
    Problem,
    Service,
    ServiceFile,
    Settings,
    SkillFile,
    SkillSource,
    TrioClock,
    UnknownNameError,
    make_service,
    open_observatory,
)
from observatory.testing import observatory_plugin


class Empty(SkillSource):
    """A source of nothing."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def load(self, known: Sequence[SkillFile] = ()) -> Sequence[SkillFile | Problem]:
        """Find nothing."""
        return ()

    async def resources(self, skill: SkillFile) -> Sequence[str]:
        """Have nothing."""
        return ()

    async def read(self, skill: SkillFile, path: str) -> bytes:
        """Read nothing."""
        return b""


class Lamp(Service):
    """A service that knows what it was handed."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Shine."""
        task_status.started()
        await trio.sleep_forever()


@attrs.frozen
class LampSettings:
    """How it shines."""

    bright: bool = False


PLUGIN = observatory_plugin(
    "lamps", settings_class=LampSettings, services={"lamp": Lamp}, skill_sources={"empty": Empty}
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings on a root that is not there yet."""
    return Settings(root=tmp_path / "root", plugins={"lamps": {"bright": True}})


def test_a_service_alone(settings: Settings, tmp_path: Path) -> None:
    """It has its plugin's settings, the clock and every source of skills, and nothing is made on the disk."""
    clock = TrioClock()
    lamp = make_service("lamp", settings, plugins=[PLUGIN], clock=clock)
    assert isinstance(lamp, Lamp)
    context = lamp.context
    assert (context.settings, context.root, context.clock) == (LampSettings(bright=True), settings.root, clock)
    assert (context.modules, context.services, context.observatory) == ({}, {}, None)
    source = context.skill_sources["empty"]
    assert isinstance(source, Empty)
    assert source.context.settings == LampSettings(bright=True)
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_there_is_not(settings: Settings) -> None:
    """The error names the nearest."""
    with pytest.raises(UnknownNameError, match="no service 'lamb'; did you mean 'lamp'"):
        make_service("lamb", settings, plugins=[PLUGIN])


@pytest.mark.parametrize("wrong", [{"settings": 7}, {"plugins": 7}, {"clock": 7}])
def test_arguments(wrong: dict[str, Any]) -> None:
    """Each is checked."""
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        make_service("lamp", **wrong)


async def test_sources_of_an_observatory(bare_settings: Any) -> None:
    """Services have the sources of skills of all plugins."""
    async with open_observatory(bare_settings(), plugins=[PLUGIN]) as obs:
        assert list(obs.service(Lamp).context.skill_sources) == ["empty"]


async def test_routes_of_an_observatory(bare_settings: Any) -> None:
    """Services have the routes of all plugins, made of a context that has the services once they are there."""
    made: dict[str, Context] = {}

    def make(context: Context) -> AsgiApp:
        made["app"] = context
        return app

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing."""

    plugin = observatory_plugin("routes", routes={"mine": make})
    async with open_observatory(bare_settings(), plugins=[PLUGIN, plugin]) as obs:
        assert obs.service(Lamp).context.routes == {"mine": app}
        assert made["app"].service("lamp") is obs.service(Lamp)


async def test_one_file_for_all_doors(bare_settings: Any) -> None:
    """Services have one file that tells of their doors; one that is made alone has none."""
    another = observatory_plugin("others", services={"other": Lamp})
    async with open_observatory(bare_settings(), plugins=[PLUGIN, another]) as obs:
        file = obs.service("lamp").context.service_file
        assert isinstance(file, ServiceFile)
        assert obs.service("other").context.service_file is file
    alone: Any = make_service("lamp", bare_settings(), plugins=[PLUGIN])
    assert alone.context.service_file is None


async def test_a_route_that_is_none(bare_settings: Any) -> None:
    """What a factory makes has to be something to call."""
    plugin: Any = observatory_plugin("routes", routes={"mine": lambda context: 5})  # type: ignore[dict-item, return-value]
    with pytest.raises(PluginError, match="made a int, which is no Callable"):
        async with open_observatory(bare_settings(), plugins=[plugin]):
            pass


async def test_no_sources_without_services(bare_settings: Any) -> None:
    """Where no service runs nobody needs them, and none is made."""

    def fail(context: Context) -> SkillSource:
        raise AssertionError

    plugin = observatory_plugin("sources", skill_sources={"fails": fail})
    async with open_observatory(bare_settings(), plugins=[plugin], services=False) as obs:
        assert obs.health().healthy


async def test_services_by_name(bare_settings: Any) -> None:
    """Of several services those run that are named, with their sources; a name that there is not is passed over."""
    made: list[str] = []

    def make(name: str, context: Context) -> Service:
        made.append(name)
        return Lamp(context)

    plugin = observatory_plugin("lamps", services={name: partial(make, name) for name in ("left", "right")})
    async with open_observatory(bare_settings(), plugins=[plugin], services=("right", "up")) as obs:
        assert made == ["right"]
        assert "service:right" in [child.name for child in obs.health().children]
    async with open_observatory(bare_settings(), plugins=[plugin], services=()) as obs:
        assert made == ["right"]


async def test_a_source_never_tells(bare_settings: Any, autojump_clock: trio.testing.MockClock) -> None:
    """By default nothing is told of changes, until somebody cancels it."""
    source = Empty(make_service("lamp", bare_settings(), plugins=[PLUGIN]).context)  # type: ignore[attr-defined]
    async with trio.open_nursery() as nursery:
        await nursery.start(source.watch, lambda: None)
        await trio.sleep(1_000)
        nursery.cancel_scope.cancel()
