"""The plugin inside an Observatory."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from observatory import Settings, SettingsError, StorageError, StorageSettings, load_settings, open_observatory


def settings(root: Path, **own: Any) -> Settings:
    """Return settings with this storage backend and no other plugin."""
    others = tuple(sorted(entry_points(group="observatory").names - {"sqlite"}))
    return Settings(
        root=root, storage=StorageSettings(backend="sqlite"), disabled_plugins=others, plugins={"sqlite": own}
    )


async def test_a_restart(tmp_path: Path) -> None:
    """Messages come back as they were left, what was cleared does not, and the numbers go on."""
    async with open_observatory(settings(tmp_path)) as obs:
        mailbox = obs.mailbox
        receipts = [await mailbox.send_message("a", "b", str(n), type="count", metadata={"n": n}) for n in range(3)]
        assert [(receipt.sequence, receipt.durability) for receipt in receipts] == [
            (1, "fsynced"),
            (2, "fsynced"),
            (3, "fsynced"),
        ]
        await mailbox.mark_read("a", receipts[1].message.id)
        await mailbox.send_message("c", "b", "gone")
        await mailbox.clear_messages("c")
        before = mailbox.get_messages("a")
    assert (tmp_path / "observatory" / "observatory.db").is_file()
    async with open_observatory(settings(tmp_path)) as obs:
        mailbox = obs.mailbox
        assert mailbox.get_messages("a") == before
        assert [message.read for message in before] == [False, True, False]
        assert mailbox.get_messages("c") == []
        assert (await mailbox.send_message("a", "b", "next")).sequence == 4
        assert (await mailbox.send_message("c", "b", "next")).sequence == 2


async def test_a_path_from_a_file(tmp_path: Path) -> None:
    """Settings in TOML pick the backend and its file."""
    toml = tmp_path / "observatory.toml"
    toml.write_text('[storage]\nbackend = "sqlite"\n\n[plugins.sqlite]\npath = "~/mine.db"\n')
    loaded = load_settings(toml, environ={"OBSERVATORY_PLUGINS__SQLITE__PATH": str(tmp_path / "mine.db")})
    async with open_observatory(settings(tmp_path, **loaded.plugins["sqlite"])) as obs:
        await obs.mailbox.send_message("a", "b", "hello")
    assert loaded.storage.backend == "sqlite"
    assert (tmp_path / "mine.db").is_file()


@pytest.mark.parametrize("value", [7, "", ["x"], True])
async def test_a_wrong_setting_is_refused(tmp_path: Path, value: object) -> None:
    """The error names the setting's path."""
    with pytest.raises(SettingsError) as info:
        async with open_observatory(settings(tmp_path, path=value)):
            pass
    assert info.value.path == "$.plugins.sqlite.path"


async def test_a_second_observatory_is_refused(tmp_path: Path) -> None:
    """On the same database a second Observatory does not open, and the first one goes on."""
    async with open_observatory(settings(tmp_path)) as obs:
        with pytest.raises(StorageError, match="is in use by another Observatory"):
            async with open_observatory(settings(tmp_path)):
                pass
        assert (await obs.mailbox.send_message("a", "b", "hello")).sequence == 1


async def test_a_damaged_database_stops_everything(tmp_path: Path) -> None:
    """Observatory does not open without what it has promised to keep."""
    (tmp_path / "observatory").mkdir()
    (tmp_path / "observatory" / "observatory.db").write_bytes(b"x" * 5000)
    with pytest.raises(StorageError, match="is no database, and was left as it is"):
        async with open_observatory(settings(tmp_path)):
            pass
