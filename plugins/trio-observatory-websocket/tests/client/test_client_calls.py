"""What is asked, where that is more than one request and one answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest
import trio
from observatory_websocket import WebSocketClient, open_client
from trio.testing import wait_all_tasks_blocked

from observatory import (
    InvalidInputError,
    Mailbox,
    Module,
    Observatory,
    ObservatoryError,
    Settings,
    UnknownMessageError,
    open_observatory,
)
from observatory.testing import observatory_plugin

MakeSettings = Callable[..., Settings]
OpenProxied = Callable[..., AbstractAsyncContextManager[tuple[Observatory, Any, WebSocketClient]]]

Until = Callable[[Callable[[], object]], Awaitable[None]]

pytestmark = pytest.mark.usefixtures("impatient")


async def test_many_wait(settings: MakeSettings, until: Until) -> None:
    """Those that wait for a message do not hold the others up, and leave nothing when they give up."""
    async with open_observatory(settings()) as observatory, open_client(root=observatory.settings.root) as client:
        async with trio.open_nursery() as nursery:  # at once, so that the service has all tasks that it keeps
            for _ in range(20):
                nursery.start_soon(client.health)
        before = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(client.mailbox.receive, f"agent-{number}")
            await wait_all_tasks_blocked(0.01)
            with trio.fail_after(5):
                await client.mailbox.send_message("a", "b", "hello")
            nursery.cancel_scope.cancel()
        with trio.fail_after(5):
            await client.health()
            await until(lambda: trio.lowlevel.current_statistics().tasks_living <= before)


async def test_large_request(settings: MakeSettings) -> None:
    """A request that is larger than the service takes is refused here, with what to do, and costs nobody anything."""
    websocket = {"max_frame_bytes": 10_000}
    async with (
        open_observatory(settings(plugins={"websocket": websocket})) as observatory,
        open_client(root=observatory.settings.root) as client,
    ):
        for text in ("x" * 10_000, '"' * 5_000):  # the library allows both
            with pytest.raises(InvalidInputError) as refusal:
                await client.mailbox.send_message("a", "b", text, idempotency_key="key")
            assert re.match(r"params: the request has 10,\d{3} bytes as JSON, in which quotes", str(refusal.value))
            assert str(refusal.value).endswith(
                "this service takes 10,000: send less, or raise max_frame_bytes in its [plugins.websocket]"
            )
        await client.mailbox.send_message("a", "b", "x" * 9_000)
    assert observatory.service("websocket").statistics()["accepted"] == 1


async def test_pages(settings: MakeSettings) -> None:
    """Messages that no one answer holds come all, newest first, up to the limit."""
    async with open_observatory(settings()) as observatory, open_client(root=observatory.settings.root) as client:
        for number in range(7):
            await observatory.mailbox.send_message("a", "b", str(number) * 400_000)
        expected = observatory.mailbox.get_messages("a")
        before = observatory.statistics().services["websocket"]["clients"][0]["requests"]
        assert await client.mailbox.get_messages("a") == expected
        assert observatory.statistics().services["websocket"]["clients"][0]["requests"] >= before + 3
        assert await client.mailbox.get_messages("a", limit=4) == expected[:4]
        assert await client.mailbox.get_messages("a", limit=6, before=expected[0].id) == expected[1:]


async def test_page_gone(settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When what the next page would follow has left the mailbox, it is read anew; what the caller gave is an error."""
    async with open_observatory(settings()) as observatory, open_client(root=observatory.settings.root) as client:
        mailbox, read = observatory.mailbox, Mailbox.get_messages
        for number in range(4):
            await mailbox.send_message("a", "b", str(number) * 600_000)
        gone = iter([UnknownMessageError("a", "gone")])

        def get_messages(self: Mailbox, agent: str, **options: Any) -> Any:
            if options["before"] is not None:
                for error in gone:
                    raise error
            return read(self, agent, **options)

        monkeypatch.setattr(Mailbox, "get_messages", get_messages)
        assert await client.mailbox.get_messages("a") == read(mailbox, "a")
        with pytest.raises(UnknownMessageError):
            await client.mailbox.get_messages("a", before="0" * 16)


async def test_payloads(settings: MakeSettings) -> None:
    """What a plugin publishes comes as JSON says it, also under the name of one of ours."""

    class Note:
        """A plugin's own."""

    async with (
        open_observatory(settings()) as observatory,
        open_client(root=observatory.settings.root) as client,
        await client.subscribe("x") as subscription,
    ):
        for payload in ({"a": [1]}, None, Note()):
            observatory.pubsub.publish("x", payload)
        assert [(await anext(subscription)).payload for _ in range(3)] == [{"a": [1]}, None, None]


async def test_module(settings: MakeSettings) -> None:
    """What a service describes can be called; parameters that JSON cannot hold are refused."""
    async with open_observatory(settings()) as observatory, open_client(root=observatory.settings.root) as client:
        assert set((await client.describe())["methods"]) >= {"mailbox.send", "topics.subscribe"}
        with pytest.raises(InvalidInputError, match=r"^x: is a object, which JSON cannot hold"):
            await client.call_module("Notes", "nothing", x=object())
        deep: list[Any] = []
        deep.append(deep)
        with pytest.raises(InvalidInputError, match=r"^x: is nested too deep, or contains itself"):
            await client.call_module("Notes", "nothing", x={"y": deep})


class Switchboard(Module):
    """A plugin's own module."""

    exposes: ClassVar = ("connect", "talk")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait."""
        task_status.started()
        await trio.sleep_forever()

    def connect(self, module: str, method: str) -> list[str]:
        """Give back what was given."""
        return [module, method]

    def talk(self, length: int) -> str:
        """Give back more or less."""
        return "x" * length


@pytest.fixture
def phones() -> object:
    """Return the plugin."""
    return observatory_plugin("phones", modules={"Switchboard": lambda _: Switchboard()})


async def test_module_parameters(settings: MakeSettings, phones: object) -> None:
    """A module's parameters may have any names, also those of the client's own."""
    async with (
        open_observatory(settings(), plugins=[phones]) as observatory,
        open_client(root=observatory.settings.root) as client,
    ):
        assert await client.call_module("Switchboard", "connect", module="a", method="b") == ["a", "b"]


async def test_large_answer(settings: MakeSettings, phones: object) -> None:
    """The error that stands in the place of an answer that is too large comes out, and nothing else ends with it."""
    async with (
        open_observatory(settings(), plugins=[phones]) as observatory,
        open_client(root=observatory.settings.root) as client,
        trio.open_nursery() as nursery,
    ):
        received: list[Any] = []

        async def ask() -> None:
            received.append(await client.mailbox.request("oracle", "a", "what?"))  # would not be asked again

        async with await client.subscribe("agent:oracle") as questions:
            nursery.start_soon(ask)
            question = (await anext(questions)).payload
        with pytest.raises(ObservatoryError, match=r"this was carried out, but .* more than 16,777,216 bytes"):
            await client.call_module("Switchboard", "talk", length=70_000_000)
        assert len(await client.call_module("Switchboard", "talk", length=16_000_000)) == 16_000_000
        await client.mailbox.reply(question, "that")
    assert [answer.content for answer in received] == ["that"]
    assert observatory.service("websocket").statistics()["accepted"] == 1
