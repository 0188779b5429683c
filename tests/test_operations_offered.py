"""Operations: what an Observatory has to offer, called as doors do."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import pytest
from jsonschema import Draft202012Validator

from observatory import Observatory, Operation, open_observatory, to_wire

Functions: TypeAlias = Callable[[Observatory], Iterable[Callable[..., Any]]]


class TestObservatory:
    """What an Observatory offers, called as doors do."""

    @pytest.mark.parametrize(
        "functions",
        [
            lambda obs: [
                obs.mailbox.send_message,
                obs.mailbox.broadcast_to_many,
                obs.mailbox.reply,
                obs.mailbox.request,
            ],
            lambda obs: [obs.mailbox.receive, obs.mailbox.get_messages, obs.mailbox.mark_read, obs.mailbox.get_stats],
            lambda obs: [obs.mailbox.unread_count, obs.mailbox.agent_stats, obs.mailbox.clear_messages],
            lambda obs: [obs.notes.add_note, obs.notes.delete_note, obs.notes.get_note, obs.notes.list_notes],
            lambda obs: [obs.deliveries, obs.dead_letters, obs.redeliver, obs.health, obs.statistics, obs.plugins],
        ],
    )
    async def test_schemas(self, functions: Functions, bare_settings: Any) -> None:
        """Each can be offered, with valid schemas."""
        async with open_observatory(bare_settings()) as obs:
            for function in functions(obs):
                for schema in Operation(function, name=function.__name__).schema().values():
                    Draft202012Validator.check_schema(schema)

    async def test_mailbox(self, bare_settings: Any) -> None:
        """Messages are sent, read and acknowledged; what comes back is valid."""
        async with open_observatory(bare_settings()) as obs:
            receipt = await self.ask(
                obs.mailbox.send_message, {"to": "a", "from": "b", "content": "c", "metadata": {"n": 1}, "require": []}
            )
            assert receipt["message"]["metadata"] == {"n": 1}
            receipts = await self.ask(obs.mailbox.broadcast_to_many, [["a", "?"], "b", "to all"])
            assert ["error" in one for one in receipts] == [False, True]
            messages = await self.ask(obs.mailbox.get_messages, {"agent": "a", "limit": 1, "unread_only": True})
            assert messages == [receipts[0]["message"]]
            ids = [receipt["message"]["id"], messages[0]["id"]]
            assert len(await self.ask(obs.mailbox.mark_read, {"agent": "a", "ids": ids})) == 2
            assert await self.ask(obs.mailbox.unread_count, ["a"]) == 0
            assert await self.ask(obs.mailbox.get_stats) == {
                "a": {"total": 2, "unread": 0, "oldest_unread_age_sec": None}
            }

    async def test_message(self, bare_settings: Any) -> None:
        """A message that was read can be given back to be answered."""
        async with open_observatory(bare_settings()) as obs:
            receipt = await obs.mailbox.send_message("a", "b", "?", metadata={"n": 1})
            answer = await self.ask(obs.mailbox.reply, [to_wire(receipt.message), "!"])
            assert answer["message"]["metadata"] == {"in_reply_to": receipt.message.id}

    async def test_others(self, bare_settings: Any) -> None:
        """Notes and deliveries, too."""
        async with open_observatory(bare_settings()) as obs:
            await self.ask(obs.notes.add_note, ["key", "text"])
            assert (await self.ask(obs.notes.get_note, {"key": "key"}))["text"] == "text"
            assert await self.ask(obs.notes.get_note, {"key": "other"}) is None
            assert await self.ask(obs.deliveries, ["0123456789abcdef"]) == []
            assert await self.ask(obs.redeliver, {"ids": ["0123456789abcdef"]}) == 0
            assert await self.ask(obs.redeliver) == 0

    async def ask(self, function: Callable[..., Any], params: Any = None) -> Any:
        """Call a function, and return what a client reads, which is valid by the schema."""
        operation = Operation(function, name="f")
        result = to_wire(await operation.call(params))
        Draft202012Validator(operation.schema()["result"]).validate(result)
        return result
