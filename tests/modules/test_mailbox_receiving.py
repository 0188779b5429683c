"""Waiting for messages: `receive`, `request` and `reply`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    ClosedError,
    Entry,
    InvalidInputError,
    Message,
    MessagesRead,
    Observatory,
    StorageBackend,
    StorageError,
    StoredMessage,
    UnknownMessageError,
)
from observatory.testing import FailingStorage

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class HastyStorage(StorageBackend):
    """Numbers messages without letting anybody else run in between, once its gate is open."""

    def __init__(self) -> None:
        self.gate = trio.Event()
        self._numbers = itertools.count(1)

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Number the messages of the batch."""
        if not self.gate.is_set():
            await self.gate.wait()
        return [next(self._numbers) for entry in batch if isinstance(entry, Message)]

    async def replay(self, apply: Callable[[Sequence[StoredMessage]], None]) -> None:
        """Remember nothing."""
        await trio.lowlevel.checkpoint()


class Received:
    """A task that waits for one message, and what it got."""

    def __init__(self, obs: Observatory, nursery: trio.Nursery, agent: str = "a", **arguments: Any) -> None:
        self.message: Message | None = None
        self._wait = lambda: obs.mailbox.receive(agent, **arguments)
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        self.message = await self._wait()


class TestReceive:
    """`receive` waits for the oldest unread message."""

    async def test_what_is_there(self, open_here: Open) -> None:
        """The oldest unread one comes at once, and stays unread until it is acknowledged."""
        async with open_here() as obs:
            first = (await obs.mailbox.send_message("a", "b", "first")).message
            second = (await obs.mailbox.send_message("a", "b", "second")).message
            assert await obs.mailbox.receive("a") == first
            assert await obs.mailbox.receive("a") == first
            await obs.mailbox.mark_read("a", first.id)
            assert await obs.mailbox.receive("a") == second

    async def test_what_comes(self, open_here: Open) -> None:
        """Everybody who waits for an agent's message is woken by it, and nobody else."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            waiting = [Received(obs, nursery), Received(obs, nursery), Received(obs, nursery, "b")]
            await wait_all_tasks_blocked()
            message = (await obs.mailbox.send_message("a", "x", "hello")).message
            await wait_all_tasks_blocked()
            assert [received.message for received in waiting] == [message, message, None]
            nursery.cancel_scope.cancel()

    async def test_after(self, open_here: Open) -> None:
        """Only what is newer than a message counts; what is read in between is passed over."""
        async with open_here() as obs:
            messages = [(await obs.mailbox.send_message("a", "b", "")).message for _ in range(4)]
            assert await obs.mailbox.receive("a", after=messages[0].id) == messages[1]
            await obs.mailbox.mark_read("a", messages[1].id, messages[2].id)
            assert await obs.mailbox.receive("a", after=messages[0].id) == messages[3]
            assert await obs.mailbox.receive("a", after=messages[2].id) == messages[3]

    async def test_after_the_newest(self, open_here: Open) -> None:
        """It waits although older ones are unread, and gets the first that comes."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            first = (await obs.mailbox.send_message("a", "b", "first")).message
            received = Received(obs, nursery, after=first.id)
            await wait_all_tasks_blocked()
            second, third = await send_together(obs, "second", "third")
            assert received.message == second
            assert await obs.mailbox.receive("a", after=second.id) == third

    async def test_after_one_that_leaves_meanwhile(self, open_here: Open) -> None:
        """What it waits behind may be cleared, or be evicted by the very message that comes."""
        async with open_here(mailbox={"max_messages": 1}) as obs, trio.open_nursery() as nursery:
            first = (await obs.mailbox.send_message("a", "b", "first")).message
            await obs.mailbox.mark_read("a", first.id)
            received = Received(obs, nursery, after=first.id)
            await wait_all_tasks_blocked()
            second = (await obs.mailbox.send_message("a", "b", "second")).message
            await wait_all_tasks_blocked()
            assert received.message == second

    async def test_one_that_is_gone_before_the_waiting_task_runs(self, open_here: Open) -> None:
        """Whoever finds nothing after being woken goes on waiting."""
        storage = HastyStorage()
        async with open_here(storage=storage) as obs:
            for _ in range(10):  # which of two tasks Trio runs first is left to chance
                storage.gate = trio.Event()
                async with trio.open_nursery() as nursery:
                    received = Received(obs, nursery)
                    nursery.start_soon(obs.mailbox.send_message, "a", "b", "first")
                    await wait_all_tasks_blocked()
                    nursery.start_soon(obs.mailbox.clear_messages, "a")
                    await wait_all_tasks_blocked()
                    storage.gate.set()
                    await wait_all_tasks_blocked()
                    if received.message is None:
                        await obs.mailbox.send_message("a", "b", "second")
                    await wait_all_tasks_blocked()
                    assert received.message is not None
                await obs.mailbox.clear_messages("a")

    async def test_cancelled(self, open_here: Open) -> None:
        """Others who wait go on waiting, and the message is theirs."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            received = Received(obs, nursery)
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_soon, scope)
                await obs.mailbox.receive("a")
            assert scope.cancelled_caught
            message = (await obs.mailbox.send_message("a", "b", "hello")).message
            await wait_all_tasks_blocked()
            assert received.message == message

    async def test_unknown_after(self, open_here: Open) -> None:
        """A message that the mailbox does not hold is no place to wait behind."""
        async with open_here() as obs:
            with pytest.raises(UnknownMessageError):
                await obs.mailbox.receive("a", after="0" * 16)

    @pytest.mark.parametrize(("agent", "after", "field"), [("../a", None, "agent"), ("a", ["x"], "after")])
    async def test_bad_arguments(self, open_here: Open, agent: Any, after: Any, field: str) -> None:
        """They are errors at once, not tasks that wait for ever."""
        async with open_here() as obs:
            with pytest.raises(InvalidInputError, match=f"^{field}: "):
                await obs.mailbox.receive(agent, after=after)

    async def test_closing(self, open_here: Open) -> None:
        """Who waits is told that nothing will come; what is there can still be had."""
        async with trio.open_nursery() as nursery:
            async with open_here() as obs:
                nursery.start_soon(expect_closed, obs.mailbox.receive, "a")
                await obs.mailbox.send_message("b", "x", "hello")
                await wait_all_tasks_blocked()
            await expect_closed(obs.mailbox.receive, "a")
            assert (await obs.mailbox.receive("b")).content == "hello"


async def send_together(obs: Observatory, *contents: str) -> list[Message]:
    """Send messages to a as one batch."""
    async with trio.open_nursery() as nursery:
        for content in contents:
            nursery.start_soon(obs.mailbox.send_message, "a", "b", content)
    await wait_all_tasks_blocked()
    return obs.mailbox.get_messages("a", limit=len(contents))[::-1]


async def cancel_soon(scope: trio.CancelScope) -> None:
    """Cancel once everybody else waits."""
    await wait_all_tasks_blocked()
    scope.cancel()


async def expect_closed(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function that must say that Observatory is closing."""
    with pytest.raises(ClosedError, match="clos"):
        await function(*arguments)


class Asked:
    """A task that asks, and the answer it got."""

    def __init__(self, obs: Observatory, nursery: trio.Nursery, **arguments: Any) -> None:
        self.answer: Message | None = None
        self._ask = lambda: obs.mailbox.request("answerer", "asker", "what?", **arguments)
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        self.answer = await self._ask()


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

    async def test_cleared_before_it_was_acknowledged(self, open_here: Open) -> None:
        """The asker has the answer even when the mailbox is cleared in the moment it came."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            asked = Asked(obs, nursery)
            question = await obs.mailbox.receive("answerer")
            async with obs.pubsub.subscribe("agent:asker") as subscription:
                nursery.start_soon(obs.mailbox.reply, question, "that")
                await subscription.receive_batch()
                await obs.mailbox.clear_messages("asker")
            await wait_all_tasks_blocked()
            assert asked.answer is not None
            assert asked.answer.content == "that"

    async def test_cancelled(self, open_here: Open) -> None:
        """The question stands, and a reply that comes later is an ordinary unread message."""
        async with open_here() as obs, trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_soon, scope)
                await obs.mailbox.request("answerer", "asker", "what?")
            assert scope.cancelled_caught
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

    async def test_closing(self, open_here: Open) -> None:
        """Who waits for a reply is told that it will not come."""
        async with trio.open_nursery() as nursery:
            async with open_here() as obs:
                nursery.start_soon(expect_closed, obs.mailbox.request, "answerer", "asker", "what?")
                await wait_all_tasks_blocked()
            await expect_closed(obs.mailbox.request, "answerer", "asker", "what?")

    async def test_not_sent(self, open_here: Open) -> None:
        """A question that could not be committed is an error, and nobody waits for its answer."""
        storage = FailingStorage()
        async with open_here(storage=storage) as obs:
            storage.failing = True
            with pytest.raises(StorageError):
                await obs.mailbox.request("answerer", "asker", "what?")

    async def test_bad_metadata_of_a_reply(self, open_here: Open) -> None:
        """It is refused as it is in any other message."""
        async with open_here() as obs:
            message = (await obs.mailbox.send_message("a", "b", "what?")).message
            bad: Any = [1]
            with pytest.raises(InvalidInputError, match="metadata: expected a JSON object, got list"):
                await obs.mailbox.reply(message, "that", metadata=bad)
