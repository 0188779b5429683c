"""Plugins of installed distributions: real ones, made on the spot, found by their entry points."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import DuplicateNameError, Observatory, PluginError, SettingsError, hookimpl, open_observatory

GOOD = """
from observatory import hookimpl
@hookimpl
def observatory_register_policies(registrar):
    registrar.register("keep", lambda draft: draft)
"""
INSTANCE = """
import observatory
class Plugin:
    settings_class = None
    @observatory.hookimpl
    def observatory_register_policies(self, registrar):
        registrar.register("keep", lambda draft: draft)
plugin = Plugin()
"""
MISSPELLED = GOOD.replace("policies", "policys")

Install = Callable[..., None]
Inspect = Callable[..., Any]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what makes a distribution with one plugin, as an installer would leave it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install(
        name: str, code: str, *, entry: str = "", more: str = "", distribution: str = "", version: str = "1.2"
    ) -> None:
        distribution = distribution or f"dist-{name}"
        module = f"plugin_{distribution}".replace("-", "_")
        (site / f"{module}.py").write_text(code)
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[observatory]\n{name} = {module}{entry}\n{more.format(module)}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)  # of an earlier test

    return install


@pytest.fixture
def inspect(bare_settings: Any, nursery: trio.Nursery) -> Inspect:
    """Return what opens an Observatory with plugins, until the test ends."""

    async def serve(settings: Any, plugins: Any, *, task_status: trio.TaskStatus[Observatory]) -> None:
        async with open_observatory(settings, plugins=plugins) as observatory:
            task_status.started(observatory)
            await trio.sleep_forever()

    async def inspect(*plugins: object, **settings: Any) -> Observatory:
        observatory: Observatory = await nursery.start(serve, bare_settings(**settings), plugins)
        return observatory

    return inspect


def states(observatory: Observatory) -> dict[str, str]:
    """Return the state of each plugin of a test."""
    return {info.name: info.state for info in observatory.plugins() if (info.distribution or "").startswith("dist-")}


async def test_found(install: Install, inspect: Inspect) -> None:
    """A module or an object behind an entry point is a plugin, and its distribution is known."""
    install("good", GOOD)
    install("other", INSTANCE.replace("keep", "keep-too"), entry=":plugin", version="3.4")
    observatory = await inspect()
    found = {info.name: (info.distribution, info.version, info.registered) for info in observatory.plugins()}
    assert found["good"] == ("dist-good", "1.2", ("policy keep",))
    assert found["other"] == ("dist-other", "3.4", ("policy keep-too",))


@pytest.mark.parametrize(
    ("code", "entry", "reason"),
    [
        ("import not_installed_anywhere", "", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
        ("1 / 0", "", "ZeroDivisionError: division by zero"),
        ("def broken(:", "", "SyntaxError: "),
        ("raise SystemExit(3)", "", "SystemExit: 3"),
        (GOOD, ":missing", "AttributeError: "),
    ],
)
async def test_one_that_cannot_be_imported(
    install: Install, inspect: Inspect, caplog: pytest.LogCaptureFixture, code: str, entry: str, reason: str
) -> None:
    """It is reported and left out, and does not keep the others from loading."""
    install("bad", code, entry=entry)
    install("good", GOOD)
    observatory = await inspect()
    assert states(observatory) == {"bad": "broken", "good": "loaded"}
    (why,) = observatory.health().broken_plugins.values()
    assert why.startswith(f"cannot be imported: {reason}")
    assert not observatory.health().healthy
    assert f"plugin bad is left out: it {why}" in caplog.messages


async def test_one_that_is_needed(install: Install, inspect: Inspect) -> None:
    """A plugin that the settings name must not fail to load."""
    install("bad", "1 / 0")
    with pytest.raises(PluginError, match="the settings name it, so it is needed") as error:
        await inspect(plugins={"bad": {}})
    assert isinstance(error.value.__cause__, ZeroDivisionError)


async def test_one_that_is_disabled(install: Install, inspect: Inspect) -> None:
    """A plugin that the settings disable is not even imported, and is no reason for bad health."""
    install("bad", "1 / 0")
    observatory = await inspect(disabled_plugins=("bad",))
    (info,) = [info for info in observatory.plugins() if info.name == "bad"]
    assert (info.state, info.reason, info.version) == ("disabled", "disabled in the settings", "1.2")
    assert observatory.health().healthy


async def test_a_misspelled_hook(install: Install, inspect: Inspect) -> None:
    """It is an error at start, for installed plugins as for others."""
    install("bad", MISSPELLED)
    with pytest.raises(PluginError, match="did you mean 'observatory_register_policies'"):
        await inspect()


async def test_two_distributions_with_one_name(install: Install, inspect: Inspect) -> None:
    """The error names both, and disabling is the way out."""
    install("same", GOOD, distribution="dist-one")
    install("same", GOOD, distribution="dist-two")
    with pytest.raises(DuplicateNameError, match="two plugins have this name, from dist-") as error:
        await inspect()
    assert "dist-one" in str(error.value)
    assert "dist-two" in str(error.value)
    assert "disable one" in str(error.value)


async def test_an_installed_one_and_one_of_the_program(install: Install, inspect: Inspect) -> None:
    """A plugin that is handed over cannot have an installed one's name."""

    class Same:
        name = "same"

        @hookimpl
        def observatory_register_policies(self, registrar: Any) -> None:
            """Register nothing."""

    install("same", GOOD)
    with pytest.raises(DuplicateNameError, match="from dist-same and this program"):
        await inspect(Same())


async def test_one_object_behind_two_names(install: Install, inspect: Inspect) -> None:
    """A plugin takes part once."""
    install("good", GOOD, more="twin = {}")
    with pytest.raises(PluginError, match=r"'twin': cannot be registered: ValueError: .*already registered"):
        await inspect()


async def test_settings_name_one_nearly(install: Install, inspect: Inspect) -> None:
    """Settings for a plugin that there is not name the nearest installed one."""
    install("good", GOOD)
    with pytest.raises(SettingsError, match="did you mean 'good'"):
        await inspect(plugins={"goood": {}})


async def test_order(install: Install, inspect: Inspect) -> None:
    """They are loaded by name, wherever they are found first."""
    for name in ("zebra", "ant", "bee"):
        install(name, GOOD.replace("keep", f"keep-{name}"))
    observatory = await inspect()
    assert [info.name for info in observatory.plugins() if info.name in ("ant", "bee", "zebra")] == [
        "ant",
        "bee",
        "zebra",
    ]
