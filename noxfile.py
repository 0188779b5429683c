"""Every task of a person or of CI: `python3 -m nox -s NAME`; without a name, the checks that come with every change."""

import os
from pathlib import Path

import nox

nox.needs_version = ">=2026"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"  # what is installed from the checkout is built and installed anew all the same
nox.options.sessions = ["tests", "lint", "typing", "docs"]

PYPROJECT = nox.project.load_toml()
PLUGINS = sorted(str(path.parent) for path in Path("plugins").glob("*/pyproject.toml"))
EVERY_CORE = ["-n", "auto", "--dist", "worksteal"]  # as many processes of pytest as there are cores
SOURCES = ["observatory", "tests", "docs", "noxfile.py", *PLUGINS]


def install(session: nox.Session, *groups: str) -> None:
    """Install the core, every plugin and groups of requirements by one command; nothing is installed editable."""
    session.install(".", *(f"./{plugin}" for plugin in PLUGINS), *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def demo(session: nox.Session) -> None:
    """Watch agents read a folder and talk about it: `nox -s demo -- FOLDER`, by default the project's docs."""
    install(session)
    session.run("observatory", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Test the core and every plugin as they are installed, on every core; what follows `--` goes to pytest."""
    install(session, "tests")
    session.run("pytest", *EVERY_CORE, "-m", "not faults", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill, starve and cut the power of real processes, and count what hits; `-- brief` is the part that CI runs."""
    install(session, "tests")
    with session.chdir("tests/faults/node"):
        session.run("npm", "ci", "--silent", external=True)
    extent, *rest = session.posargs or ["whole"]
    session.run("pytest", "-m", "faults", "tests/faults", *rest, env={"FAULTS_EXTENT": extent})


@nox.session
def scenarios(session: nox.Session) -> None:
    """Run the published conformance scenarios of MCP against the server, as they are published."""
    install(session, "tests")
    folder = "plugins/trio-observatory-mcp/tests/scenarios"
    with session.chdir(f"{folder}/node"):
        session.run("npm", "ci", "--silent", external=True)
    session.run("pytest", folder, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the core's own tests again, under coverage: without the slow ones they run every branch of `observatory/`."""
    install(session, "coverage")
    chosen = [*EVERY_CORE, "-m", "not slow and not faults", *(session.posargs or ["tests"])]
    session.run("coverage", "erase")
    session.run("coverage", "run", f"{session.bin}/pytest", *chosen)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, what is asynchronous, which module may import which, and the plain-module rule."""
    install(session, "lint")
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)
    session.run("flake8", *SOURCES)
    session.run("lint-imports")
    session.run("observatory-lint", "observatory", *PLUGINS)


@nox.session
def typing(session: nox.Session) -> None:
    """Check types strictly, one folder that modules are imported from at a time: names of modules repeat in them."""
    install(session, "typing")
    session.run("mypy", "observatory", "tests", "docs", "noxfile.py", "--exclude", "^tests/benchmarks/")
    for folder in [*PLUGINS, "tests/benchmarks"]:
        session.run("mypy", folder, env={"MYPYPATH": folder})


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, where a warning is an error, and run the code in it."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-E", "-q", "docs", "docs/_build/html")
    session.run("pytest", "-p", "code_blocks", "README.md", "docs", env={"PYTHONPATH": os.path.abspath("docs")})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against floors on this machine, as ratios; what follows `--` goes to the benchmarks."""
    install(session, "bench")
    session.run("python", "tests/benchmarks", *session.posargs)
