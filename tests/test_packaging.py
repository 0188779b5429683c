"""Wheels: each is built from the checkout and works alone in an empty virtual environment."""

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in CHECKOUT.glob("plugins/*/pyproject.toml"))
PROGRAM = """
import sys, observatory, trio

async def main():
    async with observatory.open_observatory(observatory.Settings(root=sys.argv[1])) as obs:
        print([info.name for info in obs.plugins()])
        await obs.mailbox.send_message("agent-42", "dashboard", "hello")
        print((await obs.mailbox.receive("agent-42")).content)

trio.run(main)
"""

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Run a command away from the checkout, with at most one folder to import from; return what it printed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OBSERVATORY_"))}
    if path is not None:
        environ["PYTHONPATH"] = str(path)
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of the core and of every plugin, by the name of the distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    run(*pip, CHECKOUT, *PLUGINS, cwd=folder)
    return {path.name.split("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}


def install(environment: Path, *arguments: str | Path) -> None:
    """Install into an environment that has no pip of its own."""
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", environment / "python", "install", "--quiet"]
    run(*pip, *arguments, cwd=environment)


@pytest.fixture(scope="module")
def empty(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment in which nothing but the core's wheel was installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    install(folder / "bin", wheels["trio-observatory"])
    return folder / "bin"


def test_one_wheel_each(wheels: dict[str, Path]) -> None:
    """Every distribution of the checkout gives a wheel."""
    assert sorted(wheels) == sorted(["trio-observatory", *(plugin.name for plugin in PLUGINS)])


def test_contents(wheels: dict[str, Path]) -> None:
    """A wheel holds one package with its types and its license, and nothing else of the checkout."""
    for distribution, wheel in wheels.items():
        package = distribution.removeprefix("trio-").replace("-", "_")
        names = zipfile.ZipFile(wheel).namelist()
        assert f"{package}/py.typed" in names
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
        assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {package}


def test_core_as_a_library(empty: Path, tmp_path: Path) -> None:
    """With the core alone, a message is sent and received."""
    assert run(empty / "python", "-c", PROGRAM, tmp_path / "root", cwd=tmp_path) == "['observatory']\nhello\n"


def test_core_on_the_command_line(empty: Path, tmp_path: Path) -> None:
    """With the core alone, the command line explains itself and lists what is loaded."""
    assert "send" in run(empty / "observatory", "--help", cwd=tmp_path)
    assert "observatory" in run(empty / "observatory", "plugins", "--root", tmp_path / "root", cwd=tmp_path)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_plugin(plugin: Path, wheels: dict[str, Path], empty: Path, tmp_path: Path) -> None:
    """With one plugin beside the core, its entry points load and messages go through."""
    folder = tmp_path / "plugin"
    wheel = wheels[plugin.name]
    install(empty, "--target", folder, "--find-links", wheel.parent, wheel)  # with what it needs, the core among it
    names = list(project_of(plugin)["entry-points"].get("observatory", ()))  # a tool may have none
    printed = run(empty / "python", "-c", PROGRAM, tmp_path / "root", cwd=tmp_path, path=folder)
    assert printed == f"{['observatory', *names]}\nhello\n"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_contracts_hold_every_plugin(plugin: Path) -> None:
    """The contracts on imports know every plugin's package."""
    pyproject = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    package = plugin.name.removeprefix("trio-").replace("-", "_")
    assert package in pyproject["tool"]["importlinter"]["root_packages"]


def project_of(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Read `[project]` of a distribution."""
    project: dict[str, dict[str, dict[str, str]]] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return project
