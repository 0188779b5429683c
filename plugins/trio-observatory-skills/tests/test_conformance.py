"""The plugin, its registry, and how it looks from an Observatory."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import trio
from observatory_skills import SkillRegistry, SkillsSettings

from observatory import (
    Context,
    EmbeddedClient,
    ForbiddenError,
    Identity,
    ServiceFactory,
    Settings,
    SettingsError,
    SwarmSettings,
    load_settings,
    make_service,
    open_observatory,
)
from observatory.testing import PluginConformance, ServiceConformance, observatory_plugin


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody's own skills, nor those of this project."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


def put(folder: Path, name: str, description: str = "Does something.") -> Path:
    """Put a skill into a folder."""
    (folder / name).mkdir(parents=True)
    file = folder / name / "SKILL.md"
    file.write_text(f"---\nname: {name}\ndescription: {description}\n---\nDo it.\n")
    return file


class TestPlugin(PluginConformance):
    """The plugin as it is installed, with a registry of its own beside the one that is always there."""

    configuration: ClassVar = {"registries": {"house": {"paths": ["house"]}}}

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return its entry point."""
        return "skills"


class TestRegistry(ServiceConformance):
    """The registry as a service."""

    settings = SkillsSettings()

    @pytest.fixture
    def service_factory(self) -> ServiceFactory:
        """Return what makes one with a folder to watch."""

        def make(context: Context) -> SkillRegistry:
            return SkillRegistry([str(context.root)])

        return make


@pytest.fixture
def only_skills(tmp_path: Path) -> Settings:
    """Return settings with nothing but the core and this plugin."""
    others = tuple(point.name for point in entry_points(group="observatory") if point.name != "skills")
    return Settings(root=tmp_path / "root", disabled_plugins=others, swarm=SwarmSettings(follow=False))


async def test_in_an_observatory(only_skills: Settings, tmp_path: Path) -> None:
    """Skills of the user are there for whoever asks, those of the project once it is trusted; changes are told."""
    put(tmp_path / "home/.claude/skills", "pdf")
    put(tmp_path / "project/.agents/skills", "pdf", "Of the project.")
    async with open_observatory(only_skills) as obs:
        registry = obs.service(SkillRegistry)
        assert [(skill.name, skill.source, skill.scope) for skill in registry.list()] == [("pdf", "folders", "user")]
        assert obs.statistics().services["skills"]["untrusted"] == 1
        async with obs.pubsub.subscribe("skills:update") as events:
            put(tmp_path / "home/.claude/skills", "csv")
            with trio.fail_after(5):
                event = await anext(events)
            assert event.payload.added == ("csv",)
    trusting = attrs.evolve(only_skills, plugins={"skills": {"trusted": True}})
    async with open_observatory(trusting) as obs:
        pdf = obs.service(SkillRegistry).get("pdf")
        assert pdf is not None
        assert (pdf.scope, pdf.description) == ("project", "Of the project.")


async def test_by_a_client(only_skills: Settings, tmp_path: Path) -> None:
    """A client reads skills; it may reload them with the service's own token only."""
    put(tmp_path / "home/.claude/skills", "pdf")
    async with open_observatory(only_skills) as obs:
        client = EmbeddedClient(obs)
        assert await client.call_service("skills", "count") == 1
        [skill] = await client.call_service("skills", "list")
        assert (skill["name"], skill["allowed_tools"]) == ("pdf", [])
        assert await client.call_service("skills", "body", name="pdf") == "Do it.\n"
        assert (await client.call_service("skills", "reload"))["added"] == []
        with pytest.raises(ForbiddenError):
            await obs.service(SkillRegistry).reload(identity=Identity("ann"))


async def test_registries_of_the_settings(only_skills: Settings, tmp_path: Path) -> None:
    """Each has paths of its own."""
    put(tmp_path / "project/house", "pdf")
    settings = attrs.evolve(only_skills, plugins={"skills": {"registries": {"house": {"paths": ["house"]}}}})
    async with open_observatory(settings) as obs:
        assert obs.service("house").count() == 1
        assert obs.service("skills").count() == 0


def test_alone(only_skills: Settings) -> None:
    """A command makes the registry without an Observatory."""
    registry = make_service("skills", only_skills)
    assert isinstance(registry, SkillRegistry)
    assert not os.listdir()


@pytest.mark.parametrize(
    ("written", "path", "reason"),
    [
        ("trusted = 1", "trusted", "expected true or false"),
        ("reload_interval = 0.5", "reload_interval", "expected a number of seconds of at least 1, got 0.5"),
        ('user = [""]', "user[0]", "expected the path of a folder, got ''"),
        ("registries.skills = {}", "registries.skills", "is the registry that is always there"),
        ("registries.house = { path = [] }", "registries.house.path", "unknown key"),
    ],
)
async def test_settings(only_skills: Settings, tmp_path: Path, written: str, path: str, reason: str) -> None:
    """What is not allowed is refused with its path."""
    file = tmp_path / "observatory.toml"
    file.write_text(f"[plugins.skills]\n{written}\n")
    settings = attrs.evolve(load_settings(file), root=only_skills.root, disabled_plugins=only_skills.disabled_plugins)
    with pytest.raises(SettingsError, match=reason) as refusal:
        async with open_observatory(settings):
            pass
    assert refusal.value.path == f"$.plugins.skills.{path}"


async def test_a_source_that_breaks_in_an_observatory(
    shelf_of: Any, only_skills: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """What a stranger's source raises that no law allows is contained by the supervisor: the service runs again."""
    shelf = shelf_of("pdf")
    load, broken = shelf.load, [KeyError("no such thing")]

    async def load_once_it_is_mended(known: Any = ()) -> Any:
        if broken:
            raise broken.pop()
        return await load(known)

    shelf.load = load_once_it_is_mended
    plugin = observatory_plugin("strange", skill_sources={"shelf": lambda context: shelf})
    async with open_observatory(only_skills, plugins=(plugin,)) as obs:
        [child] = [one for one in obs.health().children if one.name == "service:skills"]
        assert (child.state, child.restarts) == ("running", 1)
        assert [skill.name for skill in obs.service("skills").list()] == ["pdf"]
    assert "service:skills failed: KeyError: 'no such thing'" in caplog.text
