"""The plugin inside an Observatory."""

from __future__ import annotations

from pathlib import Path

import pytest

from observatory import Settings, SettingsError, open_observatory


async def test_the_entry_point_makes_every_send_write_a_file(tmp_path: Path) -> None:
    """Installed, the inbox is required: after `send_message` the file is there, and gone after `mark_read`."""
    async with open_observatory(Settings(root=tmp_path)) as obs:
        receipt = await obs.mailbox.send_message("agent-42", "dashboard", "hello")
        assert receipt.deliveries["inbox"].state == "written"
        assert receipt.deliveries["inbox"].durability == "flushed"
        path = tmp_path / "inbox" / "agent-42" / f"{receipt.message.id}.json"
        assert path.is_file()
        await obs.mailbox.mark_read("agent-42", receipt.message.id)
        async with open_observatory(Settings(root=tmp_path)) as second:
            assert second.mailbox.get_messages("agent-42") == []
    assert not path.exists()


async def test_unread_files_come_back_after_a_restart(tmp_path: Path) -> None:
    """The second Observatory has what the first one's agents have not read."""
    async with open_observatory(Settings(root=tmp_path)) as obs:
        receipt = await obs.mailbox.send_message("agent-42", "dashboard", "hello", metadata={"n": 1})
    async with open_observatory(Settings(root=tmp_path)) as obs:
        assert obs.mailbox.get_messages("agent-42") == [receipt.message]


@pytest.mark.parametrize("value", [0, "8 MiB", True])
async def test_a_wrong_setting_is_refused(tmp_path: Path, value: object) -> None:
    """The error names the setting's path."""
    settings = Settings(root=tmp_path, plugins={"inbox": {"max_file_bytes": value}})
    with pytest.raises(SettingsError, match="max_file_bytes"):
        async with open_observatory(settings):
            pass
