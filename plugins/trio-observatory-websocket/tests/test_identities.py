"""In whose name something is done: that of the token, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from observatory import SecuritySettings


@pytest.fixture
async def agent(house: Any) -> AsyncIterator[Any]:
    """Return a client that is agent-1."""
    async with house.client("agent-1") as client:
        yield client


@pytest.fixture
async def owner(house: Any) -> AsyncIterator[Any]:
    """Return a client that holds the service's own token."""
    async with house.client() as client:
        yield client


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("mailbox.send", {"to": "a", "content": "", "from": "agent-2"}),
        ("mailbox.request", {"to": "a", "content": "", "from": "agent-2"}),
        ("mailbox.broadcast", {"names": ["a"], "content": "", "from": "agent-2"}),
        ("mailbox.receive", {"agent": "agent-2"}),
        ("mailbox.acknowledge", {"agent": "agent-2", "ids": []}),
        ("mailbox.clear", {"agent": "agent-2"}),
        ("mailbox.clear", {"agent": "AGENT-1"}),
        ("mailbox.clear", {"agent": ""}),
    ],
)
async def test_somebody_else(house: Any, agent: Any, method: str, params: Any) -> None:
    """An agent can do nothing in another one's name, and nothing has happened."""
    await house.obs.mailbox.send_message("agent-2", "x", "")
    error = (await agent.answer(method, params))["error"]
    assert (error["code"], error["data"]["error"]) == (-32002, "ForbiddenError")
    assert error["message"].startswith("the token names 'agent-1', which cannot act as")
    assert house.obs.mailbox.unread_count("agent-2") == 1
    assert house.obs.mailbox.unread_count("a") == 0


async def test_own_name(house: Any, agent: Any) -> None:
    """An agent need not say who it is; receipts and events say that this is certain."""
    await agent.call("topics.subscribe", topic="agent:*")
    receipt = await agent.call("mailbox.send", to="agent-1", content="to myself")
    assert (receipt["message"]["from"], receipt["verified"]) == ("agent-1", True)
    assert (await agent.event())["verified"] is True
    [one] = await agent.call("mailbox.broadcast", names=["agent-3"], content="")
    assert (one["message"]["from"], one["verified"]) == ("agent-1", True)
    assert (await agent.event())["verified"] is True
    message = await agent.call("mailbox.receive")
    assert message["content"] == "to myself"
    [read] = (await agent.call("mailbox.acknowledge", agent="agent-1", ids=[message["id"]]))["messages"]
    assert read["read"] is True
    assert await agent.call("mailbox.clear", agent="agent-1") == 1


async def test_request(house: Any, agent: Any) -> None:
    """A request is in the agent's name, too, and certain."""
    async with house.client("agent-2") as other:
        await other.call("topics.subscribe", topic="agent:agent-2")
        await agent.begin("mailbox.request", {"to": "agent-2", "content": "how?"})
        event = await other.event()
        assert (event["payload"]["from"], event["verified"]) == ("agent-1", True)
        metadata = {"in_reply_to": event["payload"]["id"]}
        await other.call("mailbox.send", to="agent-1", content="so", metadata=metadata)
        assert (await agent.message())["result"]["content"] == "so"


async def test_owner(owner: Any) -> None:
    """The owner may act as anybody, must say as whom, and nothing of that is certain."""
    await owner.call("topics.subscribe", topic="agent:a")
    receipt = await owner.call("mailbox.send", to="a", content="", **{"from": "agent-2"})
    assert (receipt["message"]["from"], receipt["verified"]) == ("agent-2", False)
    assert (await owner.event())["verified"] is False
    error = await owner.refusal("mailbox.send", to="a", content="")
    assert error["message"] == "params.from: is missing, and this connection's token names nobody"
    error = await owner.refusal("mailbox.receive")
    assert error["message"] == "params.agent: is missing, and this connection's token names nobody"


async def test_reading(house: Any, agent: Any) -> None:
    """Every identity may read: messages, figures and notes are no secrets among agents."""
    await house.obs.mailbox.send_message("agent-2", "x", "hello")
    assert (await agent.call("mailbox.messages", agent="agent-2"))["messages"][0]["content"] == "hello"
    assert (await agent.call("mailbox.check", agent="agent-2"))["unread"] == 1
    assert (await agent.call("mailbox.stats", agent="agent-2"))["mailboxes"]["agent-2"]["unread"] == 1


async def test_redelivering(agent: Any, owner: Any) -> None:
    """Dead letters are delivered again for the owner only."""
    assert (await agent.refusal("dead_letters.redeliver"))["data"]["error"] == "ForbiddenError"
    assert await owner.call("dead_letters.redeliver") == 0


async def test_rate_limit(open_house: Any) -> None:
    """Who asks too much is told when to ask again; another identity is not held back."""
    security = SecuritySettings(requests_per_second=0.5, burst=3)
    async with (
        open_house(tables={"security": security}) as house,
        house.client("agent-1") as client,
        house.client("agent-1") as again,
        house.client() as owner,
    ):
        for _ in range(3):
            await client.answer("nonsense", {})  # counts, too
        error = await again.refusal("mailbox.send", to="a", content="")
        assert (error["code"], error["data"]["error"]) == (-32003, "RateLimitError")
        assert error["data"]["fields"]["identity"] == "agent-1"
        assert 1 < error["data"]["fields"]["retry_after"] <= 2
        assert house.obs.mailbox.unread_count("a") == 0
        assert (await owner.call("health.get"))["healthy"]


async def test_rate_limit_of_a_batch(open_house: Any) -> None:
    """Each request of a batch counts."""
    security = SecuritySettings(requests_per_second=0.5, burst=3)
    async with open_house(tables={"security": security}) as house, house.client() as client:
        await client.say([{"jsonrpc": "2.0", "id": n, "method": "health.get"} for n in range(5)])
        answers = await client.message()
        assert ["error" in answer for answer in answers] == [False, False, False, True, True]
