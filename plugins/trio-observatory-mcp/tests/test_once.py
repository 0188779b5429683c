"""Nothing is brought into an agent's context twice, whether by a hook or by a tool."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest
import trio
import trio.testing
from mcp import Client
from observatory_mcp.desk import Call, Desk
from observatory_mcp.settings import McpSettings
from observatory_mcp.tools import mail

from observatory import EmbeddedClient, Identity, Message, Observatory

Use: TypeAlias = Callable[..., Awaitable[Any]]
Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]
OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

ABC = Identity("abc")


class Agent:
    """The agent `abc`, with hooks and tools.

    Args:
        house: the service to which its hooks tell of events.
        client: by which it calls tools.
    """

    def __init__(self, house: Any, client: Client) -> None:
        self._house = house
        self._client = client

    async def use(self, tool: str, **arguments: Any) -> Any:
        """Call a tool."""
        result = await self._client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        return result.structured_content

    async def checked(self, **arguments: Any) -> list[str]:
        """Check the inbox, and return the texts."""
        return [text_of(message) for message in (await self.use("check_inbox", **arguments))["messages"]]

    async def hook(self, name: str = "PostToolUse", **more: Any) -> str:
        """Have a hook tell of an event, and return what that adds to the context."""
        event = {"session_id": "s-1", "hook_event_name": name, **more}
        async with self._house.http() as http:
            answer = await http.post(self._house.url.removesuffix("mcp") + "api/events", json=event)
        return answer.json()["hookSpecificOutput"]["additionalContext"] if answer.status_code == 200 else ""

    async def send(self, content: str) -> Message:
        """Send it a message."""
        sent: Message = (await self._house.obs.mailbox.send_message("abc", "bob", content)).message
        return sent


def text_of(message: Any) -> str:
    """Return what stands in a message's envelope."""
    text: str = message["content"].split("\n", 1)[1].rsplit("\n", 1)[0]
    return text


@pytest.fixture(params=["http", "stdio"])
async def agent(request: pytest.FixtureRequest, start: Connect, open_house: OpenHouse) -> AsyncIterator[Agent]:
    """Return an agent whose tools are served by the service, or by `observatory mcp` that is connected to it."""
    async with open_house() as house, (house.connect if request.param == "http" else start)() as client:
        yield Agent(house, client)


async def test_brought_by_a_hook(agent: Agent) -> None:
    """What a hook has brought whole, tools return only when they are asked for it again; it counts as unread."""
    await agent.send("alpha")
    assert "alpha" in await agent.hook()
    await agent.send("beta")
    inbox = await agent.use("check_inbox")
    assert ([text_of(message) for message in inbox["messages"]], inbox["unread"]) == (["beta"], 2)
    await agent.send("gamma")
    assert re.findall("alpha|beta|gamma", await agent.hook()) == ["gamma"]
    await agent.send("delta")
    assert text_of((await agent.use("wait_for_message"))["message"]) == "delta"
    inbox = await agent.use("check_inbox")
    assert (inbox["messages"], inbox["digest"], inbox["unread"]) == ([], [], 4)
    assert await agent.checked(again=True) == ["delta", "gamma", "beta", "alpha"]
    assert await agent.hook() == ""


async def test_brought_as_a_heading(agent: Agent) -> None:
    """What had no room in the answer to a hook, tools return."""
    text = "x" * 15_000
    await agent.send(text)
    assert "not shown here" in await agent.hook()
    assert await agent.checked() == [text]
    await agent.send(text)
    assert "not shown here" in await agent.hook()
    assert text_of((await agent.use("wait_for_message"))["message"]) == text


@pytest.mark.parametrize(("source", "begins"), [("clear", True), ("compact", True), ("resume", False)])
async def test_a_context_that_begins(agent: Agent, source: str, begins: bool) -> None:
    """Into a context that begins all that is unread is brought again, once: by the hook, or by a tool."""
    for text in ("short", "x" * 15_000):
        await agent.send(text)
    await agent.hook()
    assert len(await agent.checked()) == 1
    assert ("short" in await agent.hook("SessionStart", source=source)) == begins
    assert await agent.checked() == (["x" * 15_000] if begins else [])
    assert await agent.checked() == []


async def test_waiting_while_a_hook_brings(agent: Agent) -> None:
    """What a hook has brought first is not what somebody has waited for."""
    await agent.send("one")
    await agent.hook()
    assert (await agent.use("wait_for_message", max_seconds=0.1))["message"] is None


async def test_asked_again_first(observatory: Observatory, use: Use) -> None:
    """What is asked for again in a context that has begun since counts as shown in that one."""
    observatory.traces.begin_context("abc")
    await observatory.mailbox.send_message("abc", "bob", "one")
    assert len((await use("check_inbox", again=True))["messages"]) == 1
    assert (await use("check_inbox"))["messages"] == []


async def test_what_was_looked_through(observatory: Observatory, use: Use, desk: Desk) -> None:
    """What others have brought is asked for from what was there when it was asked last, whoever has brought that."""
    for text in ("one", "two"):
        await observatory.mailbox.send_message("abc", "bob", text)
        await use("check_inbox")
    asked: list[Any] = []
    get_surfaced = desk.client.traces.get_surfaced

    async def ask(agent: str, **more: Any) -> Any:
        asked.append(more["after"])
        return await get_surfaced(agent, **more)

    desk.client.traces.get_surfaced = ask  # type: ignore[method-assign]
    for _ in range(2):
        await use("check_inbox")
    assert asked == [message.id for message in reversed(observatory.mailbox.get_messages("abc"))]


async def brought(observatory: Observatory, count: int) -> list[Message]:
    """Have a hook bring messages."""
    sent = [(await observatory.mailbox.send_message("abc", "bob", f"number {n}")).message for n in range(count)]
    observatory.traces.note_surfaced([message.id for message in sent], "hook", identity=ABC)
    return sent


async def test_in_one_process(observatory: Observatory, use: Use) -> None:
    """So it is where tools are served by the Observatory itself."""
    await brought(observatory, 1)
    await observatory.mailbox.send_message("abc", "bob", "more")
    inbox = await use("check_inbox")
    assert ([text_of(message) for message in inbox["messages"]], inbox["unread"]) == (["more"], 2)
    assert (await use("wait_for_message", max_seconds=0.1))["message"] is None
    observatory.traces.begin_context("abc")
    assert len((await use("check_inbox"))["messages"]) == 2


async def test_the_same_in_another_order(observatory: Observatory, use: Use) -> None:
    """What is brought into a new context in another order than before is known all the same."""
    one, two = [message.id for message in await brought(observatory, 2)]
    for first, second in ((one, two), (two, one)):
        observatory.traces.begin_context("abc")
        for id in (first, second):
            observatory.traces.note_surfaced([id], "hook", identity=ABC)
        assert (await use("check_inbox"))["messages"] == []


async def test_a_service_that_starts_again(observatory: Observatory, use: Use) -> None:
    """One that remembers nothing of a context makes nobody forget what was shown."""
    observatory.traces.begin_context("abc")
    await observatory.mailbox.send_message("abc", "bob", "one")
    assert len((await use("check_inbox"))["messages"]) == 1
    for number in range(10_000):  # so that nothing is remembered of `abc`
        observatory.traces.begin_context(f"other-{number}")
    assert (await use("check_inbox"))["messages"] == []


async def test_another_session(observatory: Observatory) -> None:
    """A session knows what hooks have brought before it has begun; what another session was shown, it is shown."""
    await brought(observatory, 1)
    await observatory.mailbox.send_message("abc", "bob", "more")
    for _ in range(2):
        desk = Desk(client=EmbeddedClient(observatory, ABC), agent="abc", settings=McpSettings())
        inbox = await mail.check_inbox(call=Call(desk, _nobody))
        assert [message.id for message in inbox.messages] == [observatory.mailbox.get_messages("abc")[0].id]


async def _nobody(progress: float, words: str) -> None:
    """Tell nobody."""


async def test_brought_while_somebody_waits(
    observatory: Observatory, use: Use, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that a hook brings just when it arrives is not returned to who waits for one; the next one is."""
    receive = desk.client.mailbox.receive

    async def outrun(agent: str, **more: Any) -> Message:
        message = await receive(agent, **more)
        if message.content == "one":
            observatory.traces.note_surfaced([message.id], "hook", identity=ABC)
        return message

    monkeypatch.setattr(desk.client.mailbox, "receive", outrun)
    arrivals: list[Any] = []

    async def wait() -> None:
        arrivals.append(await use("wait_for_message", max_seconds=5))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        for text in ("one", "more"):
            await trio.testing.wait_all_tasks_blocked()
            await observatory.mailbox.send_message("abc", "bob", text)
    assert [text_of(arrival["message"]) for arrival in arrivals] == ["more"]


async def test_much_that_was_brought(
    observatory: Observatory, use: Use, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much was brought before costs a question for each hundred messages, once, and none for each message."""
    oldest = (await observatory.mailbox.send_message("abc", "bob", "the oldest")).message
    await brought(observatory, 950)
    observatory.traces.note_surfaced([oldest.id], "hook", identity=ABC)
    asked: list[str] = []

    def counted(name: str, call: Use) -> Use:
        async def ask(*args: Any, **more: Any) -> Any:
            asked.append(name)
            return await call(*args, **more)

        return ask

    for part in (desk.client.mailbox, desk.client.traces):
        for name in {"receive", "get_messages", "unread_count", "get_surfaced", "note_surfaced"} & set(dir(part)):
            monkeypatch.setattr(part, name, counted(name, getattr(part, name)))
    assert (await use("check_inbox"))["messages"] == []
    assert asked == ["get_surfaced", "unread_count", *["get_messages"] * 10]
    for _ in range(2):
        asked.clear()
        await observatory.mailbox.send_message("abc", "bob", "more")
        assert text_of((await use("wait_for_message"))["message"]) == "more"
        assert len(asked) <= 6
        asked.clear()
        await brought(observatory, 1)
        await observatory.mailbox.send_message("abc", "bob", "even more")
        assert [text_of(message) for message in (await use("check_inbox"))["messages"]] == ["even more"]
        assert asked == ["get_surfaced", "unread_count", "get_messages", "note_surfaced"]
    observatory.traces.begin_context("abc")
    assert text_of((await use("wait_for_message"))["message"]) == "the oldest"
