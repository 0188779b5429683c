"""Asking: `request` and `reply`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    InvalidInputError,
    Message,
    MessagesRead,
    Observatory,
    StorageError,
)
from observatory.testing import FailingStorage

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class Asked:
    """A task that asks, and the answer it got."""

    def __init__(self, obs: Observatory, nursery: trio.Nursery, **arguments: Any) -> None:
        self.answer: Message | None = None
        nursery.start_soon(self._run, partial(obs.mailbox.request, "answerer", "asker", "what?", **arguments))

    async def _run(self, ask: Callable[[], Awaitable[Message]]) -> None:
        self.answer = await ask()


class TestRequest:
    """`request` sends, waits for the reply, and acknowledges it."""

    async def test_answered(self, open_here: Open) -> None:
        """The reply to just this question is what comes back, acknowledged."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            asked = Asked(obs, nursery, type="question", metadata={"n": 1})
            question = await obs.mailbox.receive("answerer")
            assert (question.from_, question.type, question.metadata) == ("asker", "question", {"n": 1})
            await obs.mailbox.send_message("asker", "answerer", "something else")
            receipt = await obs.mailbox.reply(question, "that", type="answer", metadata={"sure": True})
            assert receipt.message.metadata == {"sure": True, "in_reply_to": question.id}
            await wait_all_tasks_blocked()
            assert asked.answer is not None
            assert (asked.answer.id, asked.answer.read) == (receipt.message.id, True)
            assert (asked.answer.to, asked.answer.from_, asked.answer.type) == ("asker", "answerer", "answer")
            assert obs.mailbox.unread_count("asker") == 1
            assert obs.mailbox.unread_count("answerer") == 1

    async def test_many_at_once(self, open_here: Open) -> None:
        """Each asker gets the answer to its own question, in whatever order they come."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            asked = [Asked(obs, nursery, metadata={"n": number}) for number in range(5)]
            await wait_all_tasks_blocked()
            for question in obs.mailbox.get_messages("answerer"):
                await obs.mailbox.reply(question, str(question.metadata["n"]))
            await wait_all_tasks_blocked()
            assert [each.answer and each.answer.content for each in asked] == list("01234")

    async def test_a_second_reply_is_an_ordinary_message(self, open_here: Open) -> None:
        """The first reply counts; the other one stays unread."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            asked = Asked(obs, nursery)
            question = await obs.mailbox.receive("answerer")
            async with trio.open_nursery() as replies:
                replies.start_soon(obs.mailbox.reply, question, "one")
                replies.start_soon(obs.mailbox.reply, question, "two")
            await wait_all_tasks_blocked()
            (left,) = obs.mailbox.get_messages("asker", unread_only=True)
            assert asked.answer is not None
            assert {asked.answer.content, left.content} == {"one", "two"}
            first = obs.mailbox.get_messages("asker")[-1]
            assert asked.answer == first

    async def test_somebody_else_s_mailbox(self, open_here: Open) -> None:
        """A reply counts only in the mailbox of who has asked."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            asked = Asked(obs, nursery)
            question = await obs.mailbox.receive("answerer")
            await obs.mailbox.send_message("other", "answerer", "that", metadata={"in_reply_to": question.id})
            await wait_all_tasks_blocked()
            assert asked.answer is None
            nursery.cancel_scope.cancel()

    @pytest.mark.parametrize("value", [[], {}, 5, None, "", "0" * 16])
    async def test_strange_references(self, open_here: Open, value: Any) -> None:
        """Whatever stands at `in_reply_to` in a message, the Mailbox goes on."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            asked = Asked(obs, nursery)
            question = await obs.mailbox.receive("answerer")
            await obs.mailbox.send_message("asker", "x", "strange", metadata={"in_reply_to": value})
            await obs.mailbox.reply(question, "that")
            await wait_all_tasks_blocked()
            assert asked.answer is not None
            assert asked.answer.content == "that"
            assert [child.restarts for child in obs.health().children if child.name == "module:Mailbox"] == [0]

    async def test_cleared_before_it_was_acknowledged(self, open_here: Open, gated_channel: Any) -> None:
        """The asker has the answer even when the mailbox is cleared in the moment it came."""
        async with (
            open_here(channels={"files": gated_channel}, delivery={"required": ["files"]}) as obs,
            trio.open_nursery() as nursery,
        ):
            asked = Asked(obs, nursery)  # its question is committed, and it still waits for the delivery channel
            question = await obs.mailbox.receive("answerer")
            nursery.start_soon(obs.mailbox.reply, question, "that")
            await wait_all_tasks_blocked()
            nursery.start_soon(obs.mailbox.clear_messages, "asker")
            await wait_all_tasks_blocked()
            gated_channel.gate.set()
            await wait_all_tasks_blocked()
            assert asked.answer is not None
            assert asked.answer.content == "that"

    async def test_cancelled(self, open_here: Open, cancelled_while_waiting: Any) -> None:
        """The question stands, and a reply that comes later is an ordinary unread message."""
        async with open_here() as obs:
            assert await cancelled_while_waiting(obs.mailbox.request, "answerer", "asker", "what?")
            question = await obs.mailbox.receive("answerer")
            await obs.mailbox.reply(question, "too late")
            assert [message.content for message in obs.mailbox.get_messages("asker", unread_only=True)] == ["too late"]

    async def test_acknowledging_is_told(self, open_here: Open) -> None:
        """Subscribers of the asker see the reply come and be read."""
        async with open_here() as obs, trio.open_nursery() as nursery, obs.pubsub.subscribe("agent:asker") as events:
            asked = Asked(obs, nursery)
            await obs.mailbox.reply(await obs.mailbox.receive("answerer"), "that")
            await wait_all_tasks_blocked()
            assert asked.answer is not None
            payloads = [event.payload for event in await events.receive_batch()]
            assert payloads[1:] == [MessagesRead("asker", (asked.answer.id,))]
            assert payloads[0].id == asked.answer.id

    async def test_closing(self, open_here: Open, expect_closed: Any) -> None:
        """Who waits for a reply is told that it will not come."""
        async with trio.open_nursery() as nursery, open_here() as obs:
            request = obs.mailbox.request
            nursery.start_soon(expect_closed, request, "answerer", "asker", "what?")
            await wait_all_tasks_blocked()
        await expect_closed(obs.mailbox.request, "answerer", "asker", "what?")

    async def test_not_sent(self, open_here: Open) -> None:
        """A question that could not be committed is an error, and nothing is left of it."""
        storage = FailingStorage()
        async with open_here(storage=storage) as obs:
            storage.failing = True
            with pytest.raises(StorageError):
                await obs.mailbox.request("answerer", "asker", "what?")
            assert obs.mailbox.get_stats() == {}

    @pytest.mark.parametrize("message", [None, "x"])
    async def test_a_reply_to_no_message(self, open_here: Open, message: Any) -> None:
        """There is nothing to answer, and that is said in one line."""
        async with open_here() as obs:
            with pytest.raises(InvalidInputError) as caught:
                await obs.mailbox.reply(message, "that")
            assert str(caught.value) == f"message: expected the Message to answer, got {type(message).__name__}"

    async def test_bad_metadata_of_a_reply(self, open_here: Open) -> None:
        """It is refused as it is in any other message."""
        async with open_here() as obs:
            message = (await obs.mailbox.send_message("a", "b", "what?")).message
            bad: Any = [1]
            with pytest.raises(InvalidInputError, match="metadata: expected a JSON object, got list"):
                await obs.mailbox.reply(message, "that", metadata=bad)
