"""Responses that agents write."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
import trio
from observatory_inbox import CommandResponse, InboxSettings, Outbox

from observatory import Settings, Subscription, UnknownNameError, open_observatory

WRITER = """
import json, os, sys
folder, count = sys.argv[1], int(sys.argv[2])
os.makedirs(folder)
for number in range(count):
    with open(f"{folder}/.{number}.tmp", "x") as temporary:
        json.dump({"number": number}, temporary)
    os.rename(temporary.name, f"{folder}/{number:05}.json")
"""


async def next_of(subscription: Subscription) -> CommandResponse:
    """Return the next response."""
    with trio.fail_after(1_000):  # some tests hurry the clock
        response = (await subscription.__anext__()).payload
    assert isinstance(response, CommandResponse)
    return response


async def test_a_response_is_published_and_removed(office: Any) -> None:
    """As a frozen value, under the session's topic."""
    async with office.running(office.service()) as service, office.pubsub.subscribe("session:agent-42") as responses:
        path = office.write("7.json", {"ok": True, "timestamp": "2026-11-21T12:00:00+02:00"})
        response = await next_of(responses)
        await office.until(lambda: not path.exists())
    assert (response.session_id, response.id) == ("agent-42", "7")
    assert response.body == {"ok": True, "timestamp": "2026-11-21T12:00:00+02:00"}
    assert response.timestamp == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert service.published == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        response.id = "8"  # type: ignore[misc]


@pytest.mark.parametrize("timestamp", [None, "yesterday", "2026-11-21T10:00:00", 7, "0001-01-01T00:00:00+10:00"])
async def test_without_a_timestamp_the_files_own_time_counts(office: Any, timestamp: object) -> None:
    """No field must be there, and none must be right."""
    async with office.running(office.service()), office.pubsub.subscribe("session:agent-42") as responses:
        office.write("7.json", {"timestamp": timestamp}, at=1_000_000_000.5)
        response = await next_of(responses)
    assert response.timestamp == datetime.fromtimestamp(1_000_000_000.5, UTC)


async def test_a_response_is_found_within_50_ms(office: Any) -> None:
    """The best of several, since the machine has other things to do."""
    times = []
    async with office.running(office.service()), office.pubsub.subscribe("session:*") as responses:
        for number in range(6):
            begun = trio.current_time()
            office.write("7.json", {}, session=f"agent-{number % 3}")  # half of the directories are new
            await next_of(responses)
            times.append(trio.current_time() - begun)
    assert min(times[:3]) < 0.05
    assert min(times[3:]) < 0.05


async def test_responses_come_by_time_and_name(office: Any) -> None:
    """What lay there at the start comes first, in the order in which it was written."""
    for name, at in (("a", 2), ("c", 1), ("b", 1)):
        office.write(f"{name}.json", {}, at=at)
    async with office.pubsub.subscribe("session:agent-42") as responses, office.running(office.service()):
        assert [(await next_of(responses)).id for _ in range(3)] == ["b", "c", "a"]


async def test_every_response_of_another_process_comes_once(office: Any) -> None:
    """Also those that were written before the new folder could be watched."""
    command = [sys.executable, "-c", WRITER, str(office.outbox / "agent-42"), "2000"]
    async with (
        office.pubsub.subscribe("session:agent-42", capacity=3000) as responses,
        office.running(office.service()),
    ):
        await trio.run_process(command)
        numbers = [(await next_of(responses)).body["number"] for _ in range(2000)]
        await office.until(lambda: not any((office.outbox / "agent-42").iterdir()))
    assert sorted(numbers) == list(range(2000))


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("7.json", "{", "not JSON"),
        ("7.json", "", "not JSON"),
        ("7.json", "[]", "no JSON object"),
        ("7.json", '{"a": NaN}', "not JSON"),
        ("7.json", '"' + "x" * 2000 + '"', "more than 1,000 bytes"),
        ("\x1b[31m.json", "{}", "characters that cannot be printed"),
        ("\udcff.json", "{}", "characters that cannot be printed"),
    ],
)
async def test_what_does_not_decode_is_put_aside(
    office: Any, hurried_clock: Any, name: str, body: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, beside a file that says why, and under a name that harms nobody."""
    office.write(name, body)
    async with office.running(office.service(InboxSettings(max_file_bytes=1000))) as service:
        await office.until(lambda: service.quarantined == 1)
    kept, reason = office.quarantined()
    assert reason == f"{kept}.reason"
    assert kept.isascii()
    assert (office.outbox / ".quarantine" / kept).read_text() == body
    assert why in (office.outbox / ".quarantine" / reason).read_text()
    assert why in caplog.text
    assert not list((office.outbox / "agent-42").iterdir())
    assert service.published == 0


async def test_a_half_written_response_is_waited_for(office: Any) -> None:
    """Somebody who does not rename."""
    async with office.running(office.service()), office.pubsub.subscribe("session:agent-42") as responses:
        half = office.write("1.json", '{"number"')
        office.write("2.json", {})
        assert (await next_of(responses)).id == "2"
        half.write_text('{"number": 1}')
        assert (await next_of(responses)).body == {"number": 1}
    assert office.quarantined() == []


async def test_what_is_no_response_stays(office: Any, hurried_clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Links, directories, pipes, and folders with names that are none; what has another ending is nobody's business."""
    office.write("notes.txt", "mine")
    office.write(".hidden.json", "{}")
    folder = office.outbox / "agent-42"
    (office.root / "secret").write_text("{}")
    (folder / "link.json").symlink_to(office.root / "secret")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    office.write("7.json", {}, session="two words")
    (office.outbox / "linked").symlink_to(folder)
    async with office.running(office.service()) as service:
        await office.until(lambda: sum(service.left.values()) == 4)
        await trio.sleep(10)
    assert service.left == {"symlink": 1, "directory": 1, "special": 1, "invalid_name": 1}
    assert len([record for record in caplog.records if "left where it is" in record.getMessage()]) == 4
    assert len(list(folder.iterdir())) == 5
    assert (service.published, service.quarantined) == (0, 0)


async def test_what_comes_in_the_place_of_a_response_is_read_too(office: Any) -> None:
    """A writer that uses one name again and again loses nothing."""
    async with office.running(office.service()) as service, office.pubsub.subscribe("session:agent-42") as responses:
        seen = -1
        for number in range(200):
            office.write("same.json", {"number": number})
            await trio.lowlevel.checkpoint()
        while seen < 199:
            seen = (await next_of(responses)).body["number"]
        await office.until(lambda: not any((office.outbox / "agent-42").iterdir()))
    assert service.quarantined == 0


async def test_a_folder_may_vanish(office: Any, hurried_clock: Any) -> None:
    """One session's, and all of them; what is written into the next one is found."""
    async with office.running(office.service()), office.pubsub.subscribe("session:*") as responses:
        (office.outbox / "agent-42").mkdir(parents=True)
        (office.outbox / "agent-42").rmdir()
        office.outbox.rename(office.root / "elsewhere")
        await trio.sleep(7)
        office.write("7.json", {})
        assert (await next_of(responses)).id == "7"


async def test_of_two_processes_one_reads(office: Any, hurried_clock: Any) -> None:
    """And the other goes on when it has ended."""
    second = office.service()
    async with trio.open_nursery() as nursery, office.pubsub.subscribe("session:*") as responses:
        async with office.running(office.service()) as first:
            await nursery.start(second.run)
            office.write("1.json", {})
            await next_of(responses)
            await trio.sleep(5)
        office.write("2.json", {})
        await next_of(responses)
        nursery.cancel_scope.cancel()
    assert (first.published, second.published) == (1, 1)


async def test_the_lock_says_who_reads(office: Any) -> None:
    """A person finds the process in `observatory/owner.lock`; nobody else can look into that folder."""
    async with office.running(office.service()):
        lock = office.root / "observatory" / "owner.lock"
        assert lock.read_text() == f"{os.getpid()}\n"
        assert (lock.stat().st_mode & 0o777, lock.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_an_outbox_that_is_a_link_is_not_read(office: Any, hurried_clock: Any) -> None:
    """It would lead out of the root."""
    (office.root / "elsewhere" / "agent-42").mkdir(parents=True)
    (office.root / "elsewhere" / "agent-42" / "7.json").write_text("{}")
    office.outbox.symlink_to("elsewhere")
    async with office.running(office.service()) as service:
        await trio.sleep(10)
    assert service.published == 0


async def test_the_plugin_runs_it_unless_it_is_turned_off(office: Any) -> None:
    """Without any setting responses are published."""
    async with open_observatory(Settings(root=office.root)) as obs:
        assert obs.service(Outbox).published == 0
        async with obs.pubsub.subscribe("session:agent-42") as responses:
            office.write("7.json", {"ok": True})
            assert (await next_of(responses)).body == {"ok": True}
    off = Settings(root=office.root, plugins={"inbox": {"outbox": False}})
    async with open_observatory(off) as obs:
        with pytest.raises(UnknownNameError):
            obs.service(Outbox)
