"""The rule holds for Observatory itself, and breaking it is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from observatory_lint import check

MAILBOX = "observatory/modules/mailbox.py"


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def _found(folder: Path) -> list[tuple[str, str]]:
    return [
        (finding.path, finding.code) for finding in check([folder / "observatory", folder / "plugins"], cached=False)
    ]


def test_it_is_clean(copy: Path) -> None:
    """Neither the modules nor the example have a finding."""
    assert _found(copy) == []


def test_an_object_mapper_in_the_mailbox_is_found(copy: Path) -> None:
    """It is imported, and an ephemeral module must not; what imports the mailbox reaches it, too."""
    _replace(copy / MAILBOX, "import trio\n", "import trio\nfrom sqlalchemy.orm import Session\n")
    assert _found(copy) == [(MAILBOX, "OBS101"), ("observatory/modules/protocol_tracker.py", "OBS102")]


def test_an_object_mapper_three_modules_away_is_found_with_the_way_there(copy: Path) -> None:
    """The chain names file and line of each step."""
    folder = copy / "observatory/modules"
    _replace(copy / MAILBOX, "import trio\n", "import trio\nfrom observatory.modules.one import first\n")
    (folder / "one.py").write_text("from observatory.modules.two import first\n", encoding="utf-8")
    (folder / "two.py").write_text("\nfrom .three import first\n", encoding="utf-8")
    (folder / "three.py").write_text("def first():\n    from sqlmodel import Session\n", encoding="utf-8")
    (finding,) = check([copy / MAILBOX], cached=False)
    assert (finding.path, finding.code) == (MAILBOX, "OBS102")
    assert [(step.path, step.line, step.imports) for step in finding.chain] == [
        (MAILBOX, finding.line, "observatory.modules.one.first"),
        ("observatory/modules/one.py", 1, "observatory.modules.two.first"),
        ("observatory/modules/two.py", 2, "observatory.modules.three.first"),
        ("observatory/modules/three.py", 2, "sqlmodel.Session"),
    ]
    for path, line in [("one.py", 1), ("two.py", 2), ("three.py", 2)]:
        assert f"observatory/modules/{path}:{line} imports " in finding.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('            "Notes": self.notes,\n', ""),
        ("        self.notes = Notes(context, settings=settings.notes)\n", ""),
    ],
)
def test_a_canonical_module_that_is_not_in_the_list_is_found(copy: Path, old: str, new: str) -> None:
    """Whether it is left out of the list, or not even made."""
    _replace(copy / "observatory/application.py", old, new)
    assert {code for _, code in _found(copy)} == {"OBS202", "OBS204"}


def test_the_example_that_is_not_registered_is_found(copy: Path) -> None:
    """The hook is what makes it part of an application."""
    plugin = copy / "plugins/trio-observatory-example/observatory_example/plugin.py"
    _replace(plugin, '    registrar.register("AgentNotes", AgentNotes)\n', "")
    assert _found(copy) == [("plugins/trio-observatory-example/observatory_example/notes.py", "OBS202")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("        importlib.import_module(key)", "OBS104"),
        ("        open(key, 'w')", "OBS106"),
        ("        subprocess.run(['sqlite3', key])", "OBS107"),
        ("        TABLE[key] = text", "OBS301"),
    ],
)
def test_what_notes_must_not_do_is_found(copy: Path, line: str, code: str) -> None:
    """Whichever of the rules is broken."""
    file = copy / "observatory/modules/notes.py"
    _replace(file, "import trio\n", "import importlib\nimport subprocess\nimport trio\nTABLE = {}\n")
    _replace(file, "        _check_key(key)\n", f"        _check_key(key)\n{line}\n")
    assert _found(copy) == [("observatory/modules/notes.py", code)]
