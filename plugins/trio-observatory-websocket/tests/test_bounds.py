"""What one client can make the service hold or do is bounded, and ending hangs for nobody's sake."""

from __future__ import annotations

import tracemalloc
from contextlib import AsyncExitStack
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from observatory import DeliverySettings, SecuritySettings

_LARGE = "x" * 500_000
_TEXT = 1


async def test_many_that_wait_for_the_same(open_house: Any, log: Any) -> None:
    """However many requests wait for one message, no more than one answer lies here, and who never reads is closed."""
    log.expect("does not read fast enough")
    async with open_house(full_seconds=0.5) as house, house.upgraded() as raw:
        for number in range(100):
            params = {"agent": "a"}
            await raw.send(_TEXT, _request(number, "mailbox.receive", params))
        await house.until(lambda: house.service.statistics()["requests"] == 100)
        tracemalloc.start()
        try:
            await house.obs.mailbox.send_message("a", "b", _LARGE)
            await house.until(lambda: log.lines)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 40 * len(_LARGE)


async def test_many_topics(open_house: Any, log: Any) -> None:
    """Topics do not pile up behind each other: what waits for a slow reader lies in their logs."""
    log.expect("does not read fast enough")
    async with open_house(full_seconds=0.5) as house, house.upgraded() as raw:
        for number in range(60):
            await raw.call("topics.subscribe", topic=f"t:{number}")
        events = [_LARGE] * 4  # the very same text, so that only what is made of it counts
        tracemalloc.start()
        try:
            for number in range(60):
                for text in events:
                    house.obs.pubsub.publish(f"t:{number}", text, size=len(text))
                await wait_all_tasks_blocked()
            held = tracemalloc.get_traced_memory()[0]
            await house.until(lambda: log.lines)
        finally:
            tracemalloc.stop()
        kept_frames = 16 * 1024 * 1024
        assert held < kept_frames + 10 * len(_LARGE)


async def test_stuck_listener(open_house: Any, log: Any) -> None:
    """Who has mail brought and does not read is closed as well."""
    log.expect("does not read fast enough")
    tables = {"delivery": DeliverySettings(required=())}
    async with (
        open_house(channel=True, full_seconds=0.5, tables=tables) as house,
        house.upgraded() as raw,
    ):
        assert (await raw.call("mailbox.listen", agent="a"))["result"] is True
        for _ in range(60):
            await house.obs.mailbox.send_message("a", "b", _LARGE)
        await house.until(lambda: log.lines)
        assert house.service.statistics()["clients"][0]["closed_slow"] is True


async def test_silent_with_everything_in_flight(open_house: Any, log: Any) -> None:
    """A client that has as many requests in flight as it may, and is gone, is found dead."""
    log.expect("does not answer")
    async with open_house(max_requests=2, ping_seconds=0.1) as house, house.upgraded() as raw:
        requests = [_request(number, "mailbox.receive", {"agent": "nobody"}) for number in range(2)]
        await raw.send(_TEXT, f"[{','.join(requests)}]")
        await house.until(lambda: not house.service.statistics()["connections"])


async def test_not_requests(open_house: Any) -> None:
    """What is no request counts as one, so that who sends too much of it is held back."""
    tables = {"security": SecuritySettings(requests_per_second=10, burst=5)}
    async with open_house(tables=tables) as house, house.upgraded() as raw:
        begin = trio.current_time()
        for _ in range(15):
            await raw.send(_TEXT, "nonsense")
        for _ in range(13):
            assert (await raw.message())["error"]["code"] == -32700
        assert trio.current_time() - begin > 0.5


async def test_listening_for_many(open_house: Any) -> None:
    """A connection listens for as many agents as it may follow topics, and for none whom nobody can be called."""
    async with open_house(channel=True, max_subscriptions=2) as house, house.client() as client:
        for agent in ("a", "b", "b"):
            await client.call("mailbox.listen", agent=agent)
        refusal = await client.refusal("mailbox.listen", agent="c")
        assert refusal["message"] == "params.agent: a connection may listen for 2 agents, and this one does"
        refusal = await client.refusal("mailbox.listen", agent="x" * 129)
        assert "more than 128 characters" in refusal["message"]


async def test_totals(house: Any) -> None:
    """What connections have done is counted on when they have ended."""
    async with house.client() as client:
        await client.call("health.get")
        await client.refusal("no.such")
        [figures] = house.service.statistics()["clients"]
        assert (figures["owner"], figures["requests"], figures["failed"]) == (True, 2, 1)
    await house.until(lambda: not house.service.statistics()["connections"])
    totals = house.service.statistics()
    assert (totals["requests"], totals["failed"], totals["closed_slow"]) == (2, 1, 0)
    assert totals["written_bytes"] >= figures["written_bytes"] > 0


async def test_ending_while_connections_end(open_house: Any) -> None:
    """Clients that go just when the service ends do not keep it from ending."""
    for _ in range(5):
        with trio.fail_after(20):
            async with AsyncExitStack() as stack, open_house() as house:
                connections = [await stack.enter_async_context(house.upgraded()) for _ in range(40)]
                await wait_all_tasks_blocked()
                trio.lowlevel.spawn_system_task(_drop, connections)
                await trio.lowlevel.checkpoint()


async def _drop(connections: list[Any]) -> None:
    for connection in connections:
        connection.stream.socket.close()
        await trio.lowlevel.checkpoint()


def _request(id: int, method: str, params: dict[str, str]) -> str:
    quoted = ", ".join(f'"{name}": "{value}"' for name, value in params.items())
    return f'{{"jsonrpc": "2.0", "id": {id}, "method": "{method}", "params": {{{quoted}}}}}'
