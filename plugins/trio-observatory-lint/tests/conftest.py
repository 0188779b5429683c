"""Projects that are written down as one text."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from observatory_lint import check

CASES = Path(__file__).parent / "cases"

HOUSE = {
    "pyproject.toml": '[tool.observatory.lint]\nephemeral = ["house.table"]\n',
    "house/__init__.py": "",
    "house/table.py": "from house.a import run\nx = 'ä'; open('a', 'w')\nimport json  # noqa: OBS101, E501 -- why\n",
    "house/a.py": "import redis\ndef run(): ...\n",
}

_FIRST = "plain/table.py"  # what a case begins with, unless it names another file
_SETTINGS = '[tool.observatory.lint]\nephemeral = ["plain.*"]\n'
_MARK = re.compile(r"\s*# error: (?P<codes>[A-Z0-9, ]+)$")


class Case(NamedTuple):
    """A project, and what is wrong in it."""

    name: str
    """What it shows."""
    files: dict[str, str]
    """Texts by path."""
    expected: list[tuple[str, int, str]]
    """Path, line and code of every finding, sorted."""

    def write(self, folder: Path) -> None:
        """Make the project."""
        for path, text in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


def cases() -> Iterator[Case]:
    """Return every case of every file in `cases`."""
    for file in sorted(CASES.glob("*.txt")):
        for text in re.split(r"^=== ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, _, body = text.partition("\n")
            yield case(f"{file.stem}: {name}", body)


def case(name: str, body: str) -> Case:
    """Return a case: `--- PATH` begins a file, `# error: CODE, CODE` ends a line that findings are expected in."""
    files, expected = {}, []
    for text in re.split(r"^--- ", f"--- {_FIRST}\n{body}", flags=re.MULTILINE)[1:]:
        path, _, content = text.partition("\n")
        lines = content.splitlines()
        for index, line in enumerate(lines):
            if mark := _MARK.search(line):
                lines[index] = line[: mark.start()]
                expected += [(path, index + 1, code) for code in mark["codes"].split(", ")]
        files[path] = "".join(f"{line}\n" for line in lines)
    if not files[_FIRST]:
        del files[_FIRST]
    elif "plain/__init__.py" not in files:
        files["plain/__init__.py"] = ""
    files.setdefault("pyproject.toml", _SETTINGS)
    return Case(name, files, sorted(expected))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of the test's own, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def copy(here: Path) -> Path:
    """Return a copy of Observatory and its example plugin, which is the working folder."""
    root = Path(__file__).parents[3]
    leave_out = shutil.ignore_patterns("__pycache__")
    for folder in ("observatory", "plugins/trio-observatory-example"):
        shutil.copytree(root / folder, here / folder, ignore=leave_out)
    for file in ("noxfile.py", "pyproject.toml"):
        shutil.copy(root / file, here)
    return here


@pytest.fixture
def house(here: Path) -> Path:
    """Return a project with three findings, which is the working folder."""
    Case("", HOUSE, []).write(here)
    return here


@pytest.fixture
def project(here: Path) -> Callable[[str], list[tuple[str, int, str]]]:
    """Return what writes a project down, and returns path, line and code of what is found in it."""

    def write_and_check(body: str) -> list[tuple[str, int, str]]:
        case("", body).write(here)
        return [(finding.path, finding.line, finding.code) for finding in check([here], cached=False)]

    return write_and_check


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for a `case` every one of them."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", list(cases()), ids=lambda case: case.name)


@pytest.fixture
def case_texts(here: Path) -> Callable[[], list[tuple[str, Path]]]:
    """Return what writes every case into a folder of its own."""

    def write_all() -> list[tuple[str, Path]]:
        written = []
        for index, found in enumerate(cases()):
            folder = here / f"case-{index}"
            found.write(folder)
            written.append((found.name, folder))
        return written

    return write_all
