"""The plugin inside an Observatory."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import trio
from observatory_inbox import InboxChannel

from observatory import MessagesRead, Metadata, Receipt, Settings, SettingsError, open_observatory


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


async def test_receipts_name_the_durability_that_is_set(tmp_path: Path) -> None:
    """At `fsynced` the receipt says so, and a broadcast's receipts, too."""
    settings = Settings(root=tmp_path, plugins={"inbox": {"durability": "fsynced"}})
    async with open_observatory(settings) as obs:
        receipts = [
            await obs.mailbox.send_message("agent-1", "dashboard", "hello"),
            *await obs.mailbox.broadcast_to_many(["agent-1", "agent-2", "agent-3"], "dashboard", "hello"),
        ]
        assert [isinstance(receipt, Receipt) and receipt.deliveries["inbox"].durability for receipt in receipts] == [
            "fsynced"
        ] * 4


async def test_the_queue_is_within_reach_of_a_program(tmp_path: Path) -> None:
    """It asks the running delivery channel, which it finds by class or by name, what waits in the inbox."""
    async with open_observatory(Settings(root=tmp_path)) as obs:
        await obs.mailbox.send_message("agent-42", "dashboard", "hello")
        (waiting,) = await obs.channel(InboxChannel).queue_stats()
        assert (waiting.session_id, waiting.pending_count) == ("agent-42", 1)
        assert obs.channel("inbox") is obs.channel(InboxChannel)


async def test_unread_files_come_back_after_a_restart(tmp_path: Path) -> None:
    """The second Observatory has what the first one's agents have not read."""
    async with open_observatory(Settings(root=tmp_path)) as obs:
        receipt = await obs.mailbox.send_message("agent-42", "dashboard", "hello", metadata={"n": 1})
    async with open_observatory(Settings(root=tmp_path)) as obs:
        assert obs.mailbox.get_messages("agent-42") == [receipt.message]


async def test_what_came_back_can_be_copied_and_pickled(tmp_path: Path) -> None:
    """Its metadata are as they were when the message was sent."""
    async with open_observatory(Settings(root=tmp_path)) as obs:
        await obs.mailbox.send_message("agent-42", "dashboard", "hello", metadata={"n": 1})
    async with open_observatory(Settings(root=tmp_path)) as obs:
        (message,) = obs.mailbox.get_messages("agent-42")
    assert type(copy.deepcopy(message).metadata) is Metadata
    assert pickle.loads(pickle.dumps(message)) == message  # noqa: S301 -- the bytes are our own


async def test_two_on_one_root_have_the_same_mail(tmp_path: Path) -> None:
    """What one sends the other has and publishes, and what one acknowledges is read in the other."""
    settings = Settings(root=tmp_path)
    async with open_observatory(settings) as one, open_observatory(settings) as other:
        with trio.fail_after(20):
            async with (
                one.pubsub.subscribe("agent:agent-42") as here,
                other.pubsub.subscribe("agent:agent-42") as there,
            ):
                receipt = await one.mailbox.send_message("agent-42", "dashboard", "hello")
                assert (await there.__anext__()).payload == receipt.message
                await other.mailbox.mark_read("agent-42", receipt.message.id)
                assert (await here.__anext__()).payload == receipt.message
                assert (await here.__anext__()).payload == MessagesRead("agent-42", (receipt.message.id,))
        assert one.mailbox.unread_count("agent-42") == other.mailbox.unread_count("agent-42") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_file_bytes", 0),
        ("max_file_bytes", "8 MiB"),
        ("max_file_bytes", True),
        ("watch", 1),
        ("durability", "memory"),
        ("durability", True),
    ],
)
async def test_a_wrong_setting_is_refused(tmp_path: Path, name: str, value: object) -> None:
    """The error names the setting's path."""
    settings = Settings(root=tmp_path, plugins={"inbox": {name: value}})
    with pytest.raises(SettingsError, match=name):
        async with open_observatory(settings):
            pass
