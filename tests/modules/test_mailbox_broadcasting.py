"""Sending to many at once, and what policies make of a message."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from observatory import (
    Draft,
    InvalidInputError,
    MailboxFullError,
    Observatory,
    PluginError,
    PolicyRefusedError,
    Receipt,
    StorageError,
)
from observatory.testing import FailingStorage, RecordingChannel

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


class TestBroadcast:
    """One commit of independent copies."""

    async def test_outcomes_in_the_order_given(self, open_here: Open, gated_storage: Any) -> None:
        """Each recipient gets a message of its own, all in one commit, and the receipts keep the order."""
        gated_storage.gate.set()
        async with open_here(storage=gated_storage, channels={"files": RecordingChannel()}) as obs:
            names = ["c", "a", "b"]
            receipts = await obs.mailbox.broadcast_to_many(names, "x", "start", type="task", metadata={"list": [1]})
            assert [receipt.message.to for receipt in receipts if isinstance(receipt, Receipt)] == names
            assert [len(batch) for batch in gated_storage.batches] == [3]
            messages = [obs.mailbox.get_messages(name)[0] for name in names]
            assert len({message.id for message in messages}) == 3
            assert all((m.content, m.type, m.metadata) == ("start", "task", {"list": [1]}) for m in messages)
            messages[0].metadata["list"].append(2)
            assert messages[1].metadata == {"list": [1]}

    async def test_in_the_order_of_their_times(self, open_here: Open, gated_storage: Any) -> None:
        """What is sent and broadcast to one recipient at the same time stands in the order in which it was built."""
        async with open_here(storage=gated_storage) as obs, trio.open_nursery() as nursery:
            nursery.start_soon(obs.mailbox.send_message, "b", "x", "keeps the Mailbox busy")
            await wait_all_tasks_blocked()
            for _ in range(5):
                nursery.start_soon(obs.mailbox.send_message, "a", "x", "one")
                await wait_all_tasks_blocked()
                nursery.start_soon(obs.mailbox.broadcast_to_many, ["a", "c"], "x", "many")
                await wait_all_tasks_blocked()
            gated_storage.gate.set()
            await wait_all_tasks_blocked()
            times = [message.timestamp for message in obs.mailbox.get_messages("a")]
            assert len(times) == 10
            assert times == sorted(times, reverse=True)

    async def test_receipts_wait_for_required_channels(self, open_here: Open) -> None:
        """Every copy has been tried by the required delivery channels when the call returns."""
        channel = RecordingChannel()
        async with open_here(channels={"files": channel}, delivery={"required": ["files"]}) as obs:
            receipts = await obs.mailbox.broadcast_to_many(["a", "b"], "x", "start")
            states = [receipt.deliveries["files"].state for receipt in receipts if isinstance(receipt, Receipt)]
            assert states == ["written", "written"]

    async def test_one_that_is_refused_does_not_keep_the_others_from_theirs(self, open_here: Open) -> None:
        """A bad name and a full mailbox have an error in their place."""
        async with open_here(mailbox={"max_messages": 1}) as obs:
            await obs.mailbox.send_message("full", "x", "")
            outcomes = await obs.mailbox.broadcast_to_many(["a", "no/name", "full", "b"], "x", "start")
            kinds = [type(outcome) for outcome in outcomes]
            assert kinds == [Receipt, InvalidInputError, MailboxFullError, Receipt]
            assert sorted(obs.mailbox.get_stats()) == ["a", "b", "full"]

    @pytest.mark.parametrize("names", [[], ["..", 5], ["full"]])
    async def test_nobody_to_send_to(self, open_here: Open, names: list[Any]) -> None:
        """Nothing is committed when nobody is left."""
        async with open_here(mailbox={"max_messages": 1}) as obs:
            await obs.mailbox.send_message("full", "x", "")
            outcomes = await obs.mailbox.broadcast_to_many(names, "x", "start")
            assert [isinstance(outcome, Exception) for outcome in outcomes] == [True] * len(names)
            assert list(obs.mailbox.get_stats()) == ["full"]

    async def test_a_failed_commit_is_raised(self, open_here: Open) -> None:
        """Nothing has happened for anybody, a full mailbox included."""
        storage = FailingStorage()
        async with open_here(storage=storage, mailbox={"max_messages": 1}) as obs:
            await obs.mailbox.send_message("full", "x", "")
            storage.failing = True
            with pytest.raises(StorageError):
                await obs.mailbox.broadcast_to_many(["a", "full", "b"], "x", "start")
            assert list(obs.mailbox.get_stats()) == ["full"]

    @pytest.mark.parametrize(
        ("names", "reason"),
        [
            (["a", "b", "a"], "'a' stands there twice"),
            ("abc", "expected a list of names, got str"),
            (5, "expected a list of names, got int"),
            ((f"a{number}" for number in range(10_001)), "more than the 10,000 names"),
        ],
    )
    async def test_bad_lists_are_refused(self, open_here: Open, names: Any, reason: str) -> None:
        """A list that cannot be one is an error, and nobody gets anything."""
        async with open_here() as obs:
            with pytest.raises(InvalidInputError, match=f"^names: .*{re.escape(reason)}"):
                await obs.mailbox.broadcast_to_many(names, "x", "start")
            assert obs.mailbox.get_stats() == {}

    async def test_what_goes_to_all_is_checked_once_for_all(self, open_here: Open) -> None:
        """Content that is not allowed is the caller's error, not one per recipient."""
        async with open_here() as obs:
            with pytest.raises(InvalidInputError, match=r"^content: "):
                await obs.mailbox.broadcast_to_many(["a", "b"], "x", "\ud800")

    async def test_ten_thousand(self, open_here: Open) -> None:
        """The largest list there may be is one commit."""
        async with open_here() as obs:
            outcomes = await obs.mailbox.broadcast_to_many((f"a{number}" for number in range(10_000)), "x", "start")
            assert all(isinstance(outcome, Receipt) for outcome in outcomes)
            assert obs.statistics().mailbox.messages == 10_000


class TestPolicies:
    """Policies are asked on every send, in the order of registration."""

    async def test_rewrite(self, open_here: Open) -> None:
        """What a policy returns is sent, and the next policy sees it."""
        policies = {
            "alias": lambda draft: attrs.evolve(draft, to="agent-42", type="alias"),
            "shout": lambda draft: attrs.evolve(draft, content=draft.content.upper() + draft.type, metadata={"n": 1}),
        }
        async with open_here(policies=policies) as obs:
            message = (await obs.mailbox.send_message("boss", "x", "hello ")).message
            assert (message.to, message.content, message.metadata) == ("agent-42", "HELLO alias", {"n": 1})
            assert list(obs.mailbox.get_stats()) == ["agent-42"]

    async def test_refuse(self, open_here: Open) -> None:
        """What a policy does not admit has not happened; in a broadcast the others get theirs."""

        def refuse(draft: Draft) -> Draft:
            if draft.to == "secret":
                raise PolicyRefusedError("secrets", "nobody writes there")
            return draft

        async with open_here(policies={"secrets": refuse}) as obs:
            with pytest.raises(PolicyRefusedError, match="refused by policy 'secrets': nobody writes there"):
                await obs.mailbox.send_message("secret", "x", "hello")
            outcomes = await obs.mailbox.broadcast_to_many(["secret", "a"], "x", "hello")
            assert [type(outcome) for outcome in outcomes] == [PolicyRefusedError, Receipt]
            assert list(obs.mailbox.get_stats()) == ["a"]

    @pytest.mark.parametrize(
        "changes", [{"to": "../etc"}, {"from_": ""}, {"content": 5}, {"type": ""}, {"metadata": {"a": object()}}]
    )
    async def test_what_they_return_is_checked(self, open_here: Open, changes: dict[str, Any]) -> None:
        """A policy cannot bring in what a sender could not."""
        async with open_here(policies={"bad": lambda draft: attrs.evolve(draft, **changes)}) as obs:
            with pytest.raises(InvalidInputError):
                await obs.mailbox.send_message("a", "x", "hello")

    async def test_one_that_returns_nothing(self, open_here: Open) -> None:
        """A policy that forgets to return the draft is named, with its plugin, and nothing has happened."""
        async with open_here(policies={"forgetful": lambda draft: None}) as obs:
            with pytest.raises(PluginError, match="'test': the policy 'forgetful' has returned NoneType") as caught:
                await obs.mailbox.send_message("a", "x", "hello")
            assert caught.value.plugin == "test"
            assert obs.mailbox.get_stats() == {}

    async def test_they_see_what_was_checked(self, open_here: Open) -> None:
        """A policy is not asked about a draft that is not allowed anyway."""
        async with open_here(policies={"never": lambda draft: pytest.fail("it was asked")}) as obs:
            with pytest.raises(InvalidInputError):
                await obs.mailbox.send_message("a", "x", "\ud800")
