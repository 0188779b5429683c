"""The library below `/api`."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
import trio
from observatory_http.server.answers import status_of

import observatory
from observatory import Context, Module, Note, ObservatoryError, Receipt, from_wire
from observatory.testing import observatory_plugin


class Lamp(Module):
    """Exposes methods of several kinds."""

    exposes: ClassVar = ("shine", "note", "odd", "much")

    def __init__(self, context: Context) -> None:
        self.context = context

    async def shine(self, brightness: int, *, colours: list[str] | None = None) -> str:
        """Shine."""
        await trio.lowlevel.checkpoint()
        return f"{brightness} {colours}"

    def note(self, note: Note) -> Note:
        """Return a note."""
        return note

    def odd(self) -> Any:
        """Return what JSON cannot hold."""
        return {object()}

    def much(self) -> str:
        """Return very much."""
        return "x" * (16 * 1024 * 1024)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be there."""
        task_status.started()
        await trio.sleep_forever()


PLUGIN = observatory_plugin("lamps", modules={"Lamp": Lamp})


async def test_mail(house: Any) -> None:
    """A message is sent, listed, counted and acknowledged."""
    async with house.client() as client:
        sent = await client.post("api/mailboxes/ann/messages", json={"from": "bob", "content": "hello", "type": "note"})
        message = from_wire(sent.json(), Receipt).message
        assert (message.to, message.from_, message.content, message.type) == ("ann", "bob", "hello", "note")
        for unread in ("true", "false"):
            listed = await client.get("api/mailboxes/ann/messages", params={"unread_only": unread, "limit": 5})
            assert [one["id"] for one in listed.json()["messages"]] == [message.id]
        assert (await client.get("api/mailboxes/ann")).json()["unread"] == 1
        acknowledged = await client.post("api/mailboxes/ann/acknowledge", json={"ids": [message.id]})
        assert [one["read"] for one in acknowledged.json()["messages"]] == [True]
        listed = await client.get("api/mailboxes/ann/messages?unread_only=true")
        assert listed.json() == {"messages": [], "more": False}
        assert (await client.get("api/mailboxes")).json()["accepted"] == 1
        assert (await client.delete("api/mailboxes/ann")).json() == 1
        assert house.obs.mailbox.get_messages("ann") == []


async def test_pages(house: Any) -> None:
    """Lists come in pages, and say whether there is more."""
    async with house.client() as client:
        for number in range(3):
            await house.obs.mailbox.send_message("ann", "bob", str(number) * 600_000)
        first = (await client.get("api/mailboxes/ann/messages")).json()
        assert ([one["content"][0] for one in first["messages"]], first["more"]) == (["2"], True)
        before = first["messages"][-1]["id"]
        second = (await client.get("api/mailboxes/ann/messages", params={"before": before, "limit": 1})).json()
        assert ([one["content"][0] for one in second["messages"]], second["more"]) == (["1"], True)


async def test_notes(house: Any) -> None:
    """A note is written, read, listed and deleted."""
    async with house.client() as client:
        assert from_wire((await client.put("api/notes/build", json={"text": "red"})).json(), Note).text == "red"
        await client.put("api/notes/deploy", json={"text": "green"})
        assert (await client.get("api/notes/build")).json()["text"] == "red"
        assert [one["key"] for one in (await client.get("api/notes?after=build")).json()["notes"]] == ["deploy"]
        assert (await client.delete("api/notes/build")).json() is True
        assert (await client.delete("api/notes/build")).json() is False


@pytest.mark.parametrize("key", ["src/main.py", "https://example.com/a?b#c", "a//b", "%2e%2e", "ä b"])
async def test_notes_of_any_key(house: Any, key: str) -> None:
    """What notes are about may have slashes in it, as paths and addresses do."""
    async with house.client() as client:
        path = "api/notes/" + quote(key, safe="")
        assert (await client.put(path, json={"text": "red"})).json()["key"] == key
        assert (await client.get(path)).json()["text"] == "red"
        assert (await client.delete(path)).json() is True


async def test_modules_and_services(open_house: Any) -> None:
    """What modules and services expose can be called: swarm, presence, traces, and what plugins have."""
    async with open_house(plugins=(PLUGIN,), also=("skills",)) as house, house.client() as client:
        assert (await client.post("api/modules/Lamp/shine", json={"brightness": 5, "colours": ["red"]})).json() == (
            "5 ['red']"
        )
        assert (await client.post("api/modules/SwarmMonitor/get_state", json={})).json()["projects"] == {}
        assert (await client.post("api/modules/Presence/list_agents", json={})).json() == []
        assert (await client.post("api/modules/ProtocolTracker/get_traces", json={"limit": 1})).json() == []
        assert (await client.post("api/services/skills/list", json={})).json() == []
        assert (await client.get("api/health")).json()["healthy"] is True


async def test_in_whose_name(house: Any, refused: Any) -> None:
    """An agent acts as itself, and says so without a word; its owner says in whose name."""
    async with house.client("ann") as client:
        sent = await client.post("api/mailboxes/bob/messages", json={"content": "hello"})
        assert sent.json()["message"]["from"] == "ann"
        forged = await client.post("api/mailboxes/bob/messages", json={"content": "hello", "from": "carol"})
        assert "cannot act as 'carol'" in refused(forged, 403)
        ids = {"ids": [sent.json()["message"]["id"]]}
        refused(await client.post("api/mailboxes/bob/acknowledge", json=ids), 403)
        refused(await client.delete("api/mailboxes/bob"), 403)
        traces = await client.post("api/modules/ProtocolTracker/get_traces", json={"agent": "bob"})
        refused(traces, 403)
    async with house.client() as client:
        sent = await client.post("api/mailboxes/bob/messages", json={"content": "hello"})
        assert "the token names nobody" in refused(sent, 400)
    assert house.obs.mailbox.unread_count("bob") == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "finding"),
    [
        ("GET", "api", None, 404, "there is nothing at '/api'"),
        ("GET", "api/nothing", None, 404, "there is nothing at"),
        ("GET", "api/mailboxes/a%2Fb/messages", None, 404, "there is nothing at"),
        ("GET", "api/mailboxes/..%00/messages", None, 400, "is no name"),
        ("GET", "api/mailboxes/ann/messages?limit=x", None, 400, "params.limit: expected an integer"),
        ("GET", f"api/mailboxes/ann/messages?limit={'9' * 5000}", None, 400, "params.limit: expected an integer"),
        ("GET", "api/mailboxes/ann/messages?limit=-1", None, 400, "limit"),
        ("GET", "api/mailboxes/ann/messages?limit=1&limit=2", None, 400, "params.limit: stands in the query twice"),
        ("GET", "api/mailboxes/ann/messages?agent=bob", None, 400, "params.agent: stands in the path already"),
        ("GET", "api/mailboxes/ann/messages?unread_only=1", None, 400, "params.unread_only: expected"),
        ("GET", "api/mailboxes/ann/messages?before=0123456789abcdef", None, 404, "0123456789abcdef"),
        ("GET", "api/mailboxes?a%0Ab=1&a%0Ab=2", None, 400, r"params['a\nb']: unknown parameter"),
        ("GET", "api/mailboxes?limits=1", None, 400, "params.limits: unknown parameter"),
        ("POST", "api/mailboxes/ann/messages", b"{", 400, "this is not JSON"),
        ("POST", "api/mailboxes/ann/messages", b"[]", 400, "expected an object with the parameters by name"),
        ("POST", "api/mailboxes/ann/messages", b"{}", 400, "params.content: required, but missing"),
        ("POST", "api/mailboxes/ann/messages", b"", 400, "params.content: required, but missing"),
        (
            "POST",
            "api/mailboxes/ann/messages",
            b'{"content": 5, "from": "b"}',
            400,
            "params.content: expected a string",
        ),
        ("POST", "api/mailboxes/ann/messages", b'{"agent": "bob"}', 400, "params.agent: stands in the path already"),
        (
            "POST",
            "api/mailboxes/ann/acknowledge",
            json.dumps({"ids": ["0" * 16] * 1001}).encode(),
            400,
            "at most 1,000",
        ),
        ("POST", "api/mailboxes/ann/acknowledge", b'{"ids": ["0000000000000000"]}', 404, "0000000000000000"),
        ("GET", "api/notes/none", None, 404, "there is no note 'none'"),
        ("PUT", "api/notes/k", b'{"text": null}', 400, "params.text: expected a string"),
        ("POST", "api/modules/Lamb/shine", b"{}", 404, "did you mean 'Lamp'"),
        ("POST", "api/modules/Lamp/run", b"{}", 404, "no method of Lamp 'run'"),
        ("POST", "api/modules/Lamp/__init__", b"{}", 404, "no method of Lamp"),
        ("POST", "api/modules/Lamp/shine", b'{"brightness": "5"}', 400, "params.brightness: expected an integer"),
        ("POST", "api/modules/Lamp/note", b'{"note": {"key": "k"}}', 400, "params.note.text: required, but missing"),
        ("POST", "api/modules/Lamp/odd", b"{}", 400, "result: cannot be written as JSON"),
        ("POST", "api/modules/Lamp/much", b"{}", 500, "its answer has more than 16,777,216 bytes"),
        ("POST", "api/services/none/list", b"{}", 404, "there is no service 'none'"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_refused(
    open_house: Any, refused: Any, method: str, path: str, body: bytes | None, status: int, finding: str
) -> None:
    """What is wrong is answered with what it is, and where, in the words of the library."""
    async with open_house(plugins=(PLUGIN,)) as house, house.client() as client:
        headers = {"Content-Type": "application/json"}
        response = await client.request(method, path, content=body, headers=headers)
        assert finding in refused(response, status)


async def test_attributes_of_errors(house: Any) -> None:
    """An error has its class and its attributes, for programs."""
    async with house.client() as client:
        error = (await client.get("api/notes/none")).json()
        assert (error["error"], error["fields"]) == ("UnknownNameError", {"kind": "note", "name": "none", "known": []})


async def test_method_not_allowed(house: Any, refused: Any) -> None:
    """A method that a path does not have is refused, with those that it has."""
    async with house.client() as client:
        response = await client.put("api/mailboxes/ann/messages", json={})
        assert "it has GET, HEAD, POST" in refused(response, 405)
        assert response.headers["allow"] == "GET, HEAD, POST"


def test_every_error_has_a_status() -> None:
    """What a request can bring about is no failure of the service; what is one stands here."""
    kinds = [one for one in vars(observatory).values() if isinstance(one, type) and issubclass(one, ObservatoryError)]
    assert len(kinds) > 20
    failures = {one.__name__ for one in kinds if status_of(one.__new__(one)) == 500}
    assert failures == {
        "CanonicalNameError",
        "DuplicateNameError",
        "EssentialChildError",
        "ObservatoryError",
        "PluginError",
        "RootError",
        "ServiceRunningError",
        "SettingsError",
        "SubscriptionOverflowError",
        "UnreachableError",
    }
