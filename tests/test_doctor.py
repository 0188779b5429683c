"""`examine`: every check is asked, and nothing needs to be open."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from observatory import (
    Check,
    CheckFactory,
    Clock,
    Context,
    DeliverySettings,
    Diagnosis,
    DuplicateNameError,
    Finding,
    MailboxSettings,
    ObservatoryError,
    Registrar,
    RootError,
    SettingsError,
    StorageError,
    StorageSettings,
    TrioClock,
    examine,
    hookimpl,
    open_observatory,
    quoted,
)
from observatory.testing import observatory_plugin

CRUMB = Finding("crumb", "somebody has dropped it", "rm crumb")


class Fixed(Check):
    """Always finds the same, or fails."""

    def __init__(self, context: Context, found: Sequence[Finding] | Exception = (CRUMB,)) -> None:
        self.context = context
        self._found = found

    async def run(self) -> Sequence[Finding]:
        """Return it, or raise it."""
        await trio.lowlevel.checkpoint()
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


@pytest.fixture(autouse=True)
def root(tmp_path: Path) -> Path:
    """Let there be a root: that one is missing is a finding of its own."""
    (root := tmp_path / "root").mkdir()
    return root


async def test_every_check_is_asked(bare_settings: Any) -> None:
    """The findings come with the check's name, in the order of registration."""
    plugin = observatory_plugin("mine", checks={"one": Fixed, "none": lambda context: Fixed(context, ()), "two": Fixed})
    assert await examine(bare_settings(), plugins=[plugin]) == (Diagnosis("one", CRUMB), Diagnosis("two", CRUMB))


async def test_nothing_is_wrong(bare_settings: Any) -> None:
    """Where no check finds anything, there is nothing."""
    assert await examine(bare_settings(), plugins=[observatory_plugin("mine")]) == ()


async def test_the_root_is_missing(bare_settings: Any, root: Path) -> None:
    """It may be mistyped, so that is a finding; the checks are asked all the same, and nothing is made."""
    settings = bare_settings(root=root / "it's a typo")
    missing, other = await examine(settings, plugins=[observatory_plugin("mine", checks={"one": Fixed})])
    assert (missing.check, missing.finding.subject) == ("observatory", str(settings.root))
    assert "the root is not there" in missing.finding.problem
    assert missing.finding.remedy.endswith(f"observatory serve --root {quoted(settings.root)}")
    assert missing.finding.fix is None
    assert other == Diagnosis("one", CRUMB)
    assert not settings.root.exists()


async def test_a_relative_root(bare_settings: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands name it as it is called from everywhere."""
    made: list[Context] = []

    def make(context: Context) -> Check:
        made.append(context)
        return Fixed(context, ())

    monkeypatch.chdir(root.parent)
    await examine(bare_settings(root="root"), plugins=[observatory_plugin("mine", checks={"one": make})])
    assert made[0].root == root
    (found,) = await examine(bare_settings(root="toor"))
    assert found.finding.remedy.endswith(f"--root {root.parent / 'toor'}")


async def test_the_usual_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without settings the root is the usual one."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "usual"))
    made: list[Context] = []

    def make(context: Context) -> Check:
        made.append(context)
        return Fixed(context, ())

    await examine(plugins=[observatory_plugin("mine", checks={"one": make})])
    assert made[0].root == tmp_path / "usual"


async def test_what_a_check_is_handed(bare_settings: Any) -> None:
    """The plugin's own settings, the bounds of mailboxes, the clock; and nothing that runs."""
    made: list[Context] = []

    def make(context: Context) -> Check:
        made.append(context)
        return Fixed(context, ())

    settings = bare_settings(mailbox=MailboxSettings(max_messages=7), plugins={"mine": {}})
    clock = TrioClock()
    plugin = observatory_plugin("mine", settings_class=MailboxSettings, checks={"one": make})
    await examine(settings, plugins=[plugin], clock=clock)
    (context,) = made
    assert (context.root, context.clock, context.bounds.max_messages) == (settings.root, clock, 7)
    assert (context.settings, context.modules, context.services) == (MailboxSettings(), {}, {})


async def test_running_parts_know_the_bounds(bare_settings: Any) -> None:
    """What a factory is handed while an Observatory is open holds them, too."""
    made: list[Context] = []

    class Part(Fixed):
        def __init__(self, context: Context) -> None:
            made.append(context)
            raise ObservatoryError("not today")

    plugin: Any = observatory_plugin("mine", modules={"M": Part})  # type: ignore[dict-item]
    with pytest.raises(ObservatoryError, match="not today"):
        async with open_observatory(bare_settings(mailbox=MailboxSettings(max_messages=7)), plugins=[plugin]):
            pass
    assert made[0].bounds.max_messages == 7


@pytest.mark.parametrize("error", [StorageError("no room"), OSError(5, "Input/output error", "disk")])
async def test_a_check_that_fails_is_a_finding(bare_settings: Any, error: Exception) -> None:
    """And the others are asked all the same."""
    checks = {"bad": lambda context: Fixed(context, error), "good": Fixed}
    bad, good = await examine(bare_settings(), plugins=[observatory_plugin("mine", checks=checks)])
    assert (bad.check, bad.finding.subject) == ("bad", "check bad")
    assert str(error) in bad.finding.problem
    assert good == Diagnosis("good", CRUMB)


async def test_a_factory_that_fails_is_a_finding(bare_settings: Any) -> None:
    """Whatever it raises, or when it makes something else."""
    checks: Any = {"bad": lambda context: 1 / 0, "none": lambda context: None}
    bad, none = await examine(bare_settings(), plugins=[observatory_plugin("mine", checks=checks)])
    assert "the factory of 'bad' failed: ZeroDivisionError" in bad.finding.problem
    assert "made a NoneType, which is no Check" in none.finding.problem


async def test_two_checks_of_one_name(bare_settings: Any) -> None:
    """That is an error, as for every kind of part."""
    plugins = [observatory_plugin(name, checks={"one": Fixed}) for name in ("mine", "yours")]
    with pytest.raises(DuplicateNameError, match="the check 'one' is registered by plugin 'mine' already"):
        await examine(bare_settings(), plugins=plugins)


class Broken:
    """A plugin that fails in its hook."""

    name = "broken"

    @hookimpl
    def observatory_register_checks(self, registrar: Registrar[CheckFactory]) -> None:
        """Fail."""
        raise RuntimeError("no luck")


async def test_a_plugin_that_is_left_out(bare_settings: Any) -> None:
    """It is a finding of Observatory's own."""
    (found,) = await examine(bare_settings(), plugins=[Broken()])
    assert (found.check, found.finding.subject) == ("observatory", "plugin broken")
    assert "RuntimeError: no luck" in found.finding.problem


async def test_the_root_is_a_file(bare_settings: Any, tmp_path: Path) -> None:
    """No check is asked then, and the command moves it away."""
    root = tmp_path / "it's a root"
    root.touch()
    plugin = observatory_plugin("mine", checks={"one": Fixed})
    (found,) = await examine(bare_settings(root=root), plugins=[plugin])
    assert (found.check, found.finding.problem) == ("observatory", "the root is no directory")
    await trio.run_process(["sh", "-c", found.finding.remedy])
    (found,) = await examine(bare_settings(root=root))
    assert "the root is not there" in found.finding.problem


async def test_the_root_leads_nowhere(bare_settings: Any, tmp_path: Path) -> None:
    """A symbolic link to nothing is no directory."""
    (tmp_path / "link").symlink_to("nowhere")
    (found,) = await examine(bare_settings(root=tmp_path / "link"))
    assert found.finding.problem == "the root is no directory"


async def test_the_root_cannot_be_looked_at(bare_settings: Any, tmp_path: Path) -> None:
    """It says why."""
    (tmp_path / "file").touch()
    (found,) = await examine(bare_settings(root=tmp_path / "file" / "root"))
    assert found.finding.problem == "the root cannot be looked at: Not a directory"


async def test_the_root_cannot_be_written(bare_settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command makes it so."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # who may do everything cannot be kept from it
    (found,) = await examine(bare_settings(root=tmp_path))
    assert found.finding.problem == "the root cannot be read and written"
    assert found.finding.remedy == f"chmod u+rwx {tmp_path}"


async def test_no_file_system_has_such_a_root(bare_settings: Any) -> None:
    """That is an error in the settings."""
    with pytest.raises(RootError, match="no path that a file system can have"):
        await examine(bare_settings(root=Path("\ud800")))


async def test_beside_one_that_is_open(bare_settings: Any) -> None:
    """It needs nothing of it, and takes nothing from it."""
    settings = bare_settings()
    plugin = observatory_plugin("mine", checks={"one": Fixed})
    async with open_observatory(settings, plugins=[plugin], clock=Clock()) as obs:
        assert "check one" in {item for info in obs.plugins() for item in info.registered}
        assert len(await examine(settings, plugins=[plugin])) == 1
        await obs.mailbox.send_message("bob", "ann", "hello")


@pytest.mark.parametrize(
    "tables",
    [{"storage": StorageSettings(backend="nope")}, {"delivery": DeliverySettings(required=("nope",))}],
    ids=["storage", "required"],
)
async def test_settings_with_which_nothing_can_be_opened(bare_settings: Any, tables: dict[str, Any]) -> None:
    """They are refused as they are when an Observatory is opened."""
    with pytest.raises(SettingsError, match="nope"):
        await examine(bare_settings(**tables))
