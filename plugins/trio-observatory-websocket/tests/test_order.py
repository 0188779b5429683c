"""Requests are begun in the order in which they come, so many at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

_COUNT = 200
_PING, _PONG = 9, 10


@pytest.fixture(params=["memory", "inbox"])
async def house(open_house: Any, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Return an open door, with and without files."""
    async with open_house(also=("inbox",) if request.param == "inbox" else ()) as house:
        yield house


def _sends(first: int = 0, count: int = _COUNT) -> list[dict[str, Any]]:
    return [
        {
            "jsonrpc": "2.0",
            "id": number,
            "method": "mailbox.send",
            "params": {"to": "agent-42", "from": "dashboard", "content": str(number)},
        }
        for number in range(first, first + count)
    ]


def _check(house: Any, answers: list[Any], count: int = _COUNT) -> None:
    """See that what was sent is there in its order, and numbered so."""
    messages = house.obs.mailbox.get_messages("agent-42", limit=count)
    assert [message.content for message in reversed(messages)] == [str(number) for number in range(count)]
    receipts = {answer["id"]: answer["result"] for answer in answers}
    assert [receipts[number]["sequence"] for number in range(count)] == list(range(1, count + 1))
    assert [receipts[number]["message"]["content"] for number in range(count)] == [str(n) for n in range(count)]
    folder: Path = house.obs.settings.root / "inbox" / "agent-42"
    if folder.exists():
        files = [json.loads(path.read_text()) for path in folder.glob("*.json")]
        assert sorted(int(file["content"]) for file in files) == list(range(count))


async def test_pipelined(house: Any) -> None:
    """Messages that are sent without waiting for answers arrive in order."""
    async with house.client(message_queue_size=_COUNT) as client:
        for request in _sends():
            await client.say(request)
        _check(house, [await client.message() for _ in range(_COUNT)])


async def test_batch(house: Any) -> None:
    """So do those of a batch, and the answers stand in its order, too."""
    async with house.client() as client:
        await client.say(_sends())
        answers = await client.message()
        assert [answer["id"] for answer in answers] == list(range(_COUNT))
        _check(house, answers)


async def test_batches_and_single_ones(house: Any) -> None:
    """Order holds from one batch to the next, and to what comes between them."""
    async with house.client(message_queue_size=_COUNT) as client:
        answers = []
        for first in range(0, 60, 20):
            await client.say(_sends(first, 9))
            await client.say(_sends(first + 9, 1)[0])
            await client.say(_sends(first + 10, 10))
        for _ in range(9):
            message = await client.message()
            answers += message if isinstance(message, list) else [message]
        _check(house, answers, 60)


async def test_overtaking(house: Any) -> None:
    """An answer does not wait for those of earlier requests."""
    async with house.client() as client:
        waiting = await client.begin("mailbox.receive", {"agent": "nobody"})
        assert waiting < (await client.answer("health.get", {}))["id"]
        await client.say([{"jsonrpc": "2.0", "id": "b", "method": "mailbox.receive", "params": {"agent": "nobody"}}])
        assert (await client.answer("health.get", {}))["id"] == 3


async def test_in_flight(open_house: Any) -> None:
    """At the bound the next request is not begun until one ends; the connection lives on."""
    async with open_house(max_requests=2) as house, house.upgraded() as raw:
        for number in range(3):
            request = {"jsonrpc": "2.0", "id": number, "method": "mailbox.receive", "params": {"agent": f"a{number}"}}
            await raw.send(1, json.dumps([request]))  # in a batch also what waits for somebody else counts
        await raw.send(_PING, b"alive")
        assert await raw.receive() == (_PONG, b"alive")
        await trio.testing.wait_all_tasks_blocked(0.05)
        [figures] = house.service.statistics()["clients"]
        assert figures["requests"] == 2
        await house.obs.mailbox.send_message("a2", "x", "")
        await house.obs.mailbox.send_message("a1", "x", "")
        assert [(await raw.message())[0]["id"] for _ in range(2)] == [1, 2]


async def test_in_flight_within_a_batch(open_house: Any) -> None:
    """The bound holds for the requests of a batch as well."""
    async with open_house(max_requests=2) as house, house.client() as client:
        request = {"jsonrpc": "2.0", "method": "mailbox.receive"}
        await client.say([request | {"id": n, "params": {"agent": f"a{n}"}} for n in range(4)])
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert house.service.statistics()["clients"][0]["requests"] == 2
        for number in (1, 3, 0, 2):
            await house.obs.mailbox.send_message(f"a{number}", "x", "")
        assert [answer["id"] for answer in await client.message()] == [0, 1, 2, 3]


async def test_held_back_is_not_dead(open_house: Any) -> None:
    """A connection from which nothing more is read at the bound is not taken for a dead one."""
    async with open_house(max_requests=1, ping_seconds=0.1) as house, house.client(message_queue_size=99) as client:
        for number in range(20):
            await client.say([_receive(number)])
        await trio.sleep(0.5)
        for number in range(20):
            await house.obs.mailbox.send_message(f"a{number}", "x", "")
        assert [(await client.message())[0]["id"] for _ in range(20)] == list(range(20))


async def test_gone_while_waiting(open_house: Any) -> None:
    """A client that goes while its requests wait leaves nothing behind, at the bound as well."""
    async with open_house(max_requests=2) as house:
        async with house.client() as client:
            for number in range(3):
                await client.say([_receive(number)])
            await house.until(lambda: house.service.statistics()["clients"][0]["requests"] == 2)
        await house.until(lambda: house.service.statistics()["connections"] == 0)


async def test_what_waits_takes_no_room(open_house: Any) -> None:
    """Requests that wait for somebody else leave others theirs, and can be taken back."""
    async with open_house(max_requests=1) as house, house.client() as client:
        for number in range(20):
            await client.say(_receive(number))
        assert (await client.answer("health.get", {}))["result"]["healthy"]
        await client.say({"jsonrpc": "2.0", "method": "observatory.cancel", "params": {"id": 7}})
        await client.say({"jsonrpc": "2.0", "method": "observatory.cancel"})
        await client.answer("health.get", {})
        for number in (7, 3):
            await house.obs.mailbox.send_message(f"a{number}", "x", "")
        assert (await client.message())["id"] == 3


async def test_so_many_may_wait(house: Any) -> None:
    """Beyond a thousand the next one is refused."""
    async with house.client() as client:
        for number in range(1_001):
            await client.say(_receive(number))
        refusal = await client.message()
        assert (refusal["id"], refusal["error"]["data"]["fields"]["field"]) == (1_000, "method")


def _receive(number: int) -> dict[str, Any]:
    """Return a request that waits for a message."""
    return {"jsonrpc": "2.0", "id": number, "method": "mailbox.receive", "params": {"agent": f"a{number}"}}
