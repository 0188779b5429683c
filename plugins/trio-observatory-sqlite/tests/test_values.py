"""What is kept comes back as it was."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from observatory import (
    Cleared,
    DeadLetter,
    Delivery,
    DeliveryRecord,
    Expired,
    Forgotten,
    Key,
    Message,
    Metadata,
    Read,
    Sent,
    Settled,
    StoredKey,
    StoredMessage,
)
from observatory.testing.samples import messages

MOMENTS = [
    datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(2026, 11, 21, 10, 0, 0, 1, UTC),
    datetime(2026, 11, 21, 10, 0, 0, 999_999, UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
async def test_times_are_exact(bench: Any, moment: datetime) -> None:
    """Every time comes back to the microsecond, in UTC."""
    (message,) = messages("a")
    message = attrs.evolve(message, timestamp=moment)
    async with bench.open() as storage:
        await storage.append([Sent(message, moment, Key("b", "k", "00"))])
        await storage.append([DeadLetter(message, 1, "inbox", 1, "gone", moment)])
        await storage.append([DeliveryRecord(message.id, Delivery("inbox", "written"), moment, moment)])
    stored, key, record, letter = await bench.everything()
    times = [stored.message.timestamp, stored.expires_at, key.timestamp, record.since, record.at, letter.timestamp]
    assert times == [moment] * 6
    assert {each.tzinfo for each in times} == {UTC}


@pytest.mark.parametrize("text", ["", "\0", "two\r\nlines\0\u2028", "\U0001f514" * 1000, "x" * 1024 * 1024])
async def test_texts_are_exact(bench: Any, text: str) -> None:
    """A text comes back whatever is in it."""
    async with bench.open() as storage:
        await storage.append(messages("a", content=text))
    assert await bench.contents() == [text]


@pytest.mark.parametrize(
    "metadata", [{}, {"": None}, {"n": [2**63 - 1, -(2**63), 0.1, 1e300, True, {"ü\0": []}], "deep": {"deep": {}}}]
)
async def test_metadata_is_exact(bench: Any, metadata: dict[str, Any]) -> None:
    """A JSON object comes back with its kinds, and read-only."""
    async with bench.open() as storage:
        await storage.append(messages("a", metadata=metadata))
    (stored,) = await bench.everything()
    assert stored.message.metadata == metadata
    assert str(dict(stored.message.metadata)) == str(metadata)
    with pytest.raises(TypeError):
        stored.message.metadata["new"] = 1


async def test_metadata_can_be_copied_and_pickled(bench: Any) -> None:
    """What comes back is metadata as they were when the message was sent."""
    async with bench.open() as storage:
        await storage.append(messages("a", metadata={"n": 1}))
    (stored,) = await bench.everything()
    assert type(copy.deepcopy(stored.message).metadata) is Metadata
    assert pickle.loads(pickle.dumps(stored.message)) == stored.message  # noqa: S301 -- the bytes are our own


async def test_every_field_of_a_message(bench: Any) -> None:
    """Type and `read` come back too."""
    message = Message("00" * 8, "from", "to", "text", MOMENTS[1], "command", True, {"a": 1})
    async with bench.open() as storage:
        await storage.append([message, DeadLetter(message, 7, "mailbox", 0, "expired", MOMENTS[2])])
    assert await bench.everything() == [
        StoredMessage(message, 1),
        DeadLetter(message, 7, "mailbox", 0, "expired", MOMENTS[2]),
    ]


async def test_an_error_that_utf8_cannot_hold(bench: Any) -> None:
    """An error with half a character in it, as it comes of the name of a file, is kept as far as it can be."""
    (message,) = messages("a")
    error, moment = "no such file: \udcff", message.timestamp
    async with bench.open() as storage:
        await storage.append([DeadLetter(message, 1, "inbox", 1, error, moment)])
        await storage.append([DeliveryRecord(message.id, Delivery("inbox", "dead", error=error), moment, moment)])
    record, letter = await bench.everything()
    assert record.delivery.error == letter.error == "no such file: \\udcff"


async def test_the_order_within_a_batch(bench: Any) -> None:
    """What one batch says of its own messages and keys counts in the order in which it says it."""
    first, second, third = messages("a", "a", "a")
    key, later = Key("b", "k", "00"), Key("b", "k", "01")
    async with bench.open() as storage:
        batch = [first, second, Read("a", (2,)), Expired("a", (1,)), Cleared("a"), Sent(third, key=key)]
        batch += [Forgotten((("b", "k"),)), Read("a", (3,))]
        assert await storage.append(batch) == [1, 2, 3]
        assert await storage.append([Forgotten((("b", "k"),)), Sent(first, key=later)]) == [4]
    assert await bench.everything() == [
        StoredMessage(attrs.evolve(third, read=True), 3),
        StoredMessage(first, 4),
        StoredKey(later, "a", first.id, 4, first.timestamp),
    ]


async def test_what_is_not_there(bench: Any) -> None:
    """To read, expire, clear, settle or forget what is not there is no error, and to expire twice neither."""
    (message,) = messages("a")
    async with bench.open() as storage:
        await storage.append([message])
        nothing = [Read("a", (2,)), Expired("a", (2,)), Read("b", (1,)), Expired("b", (1,)), Cleared("b")]
        await storage.append([*nothing, Settled("inbox", ("x",)), Forgotten((("b", "k"),), ("x",))])
        assert await bench.everything(storage) == [StoredMessage(message, 1)]
        await storage.append([Expired("a", (1,)), Expired("a", (1,)), Read("a", (1,)), Cleared("a")])
        await storage.append([Expired("a", (1,)), Read("a", (1,)), Cleared("a")])
        assert await bench.everything(storage) == []
        assert await storage.append(messages("a", "b")) == [2, 1]


@pytest.mark.parametrize("reopened", [False, True])
async def test_numbers_go_on(bench: Any, reopened: bool) -> None:
    """Whichever messages of a recipient are gone, the next one has the next number."""
    for kept in ((), (1,), (10,), (4, 5), tuple(range(1, 10))):
        to = f"kept-{'-'.join(map(str, kept))}"
        async with bench.open() as storage:
            assert await storage.append(messages(*[to] * 10)) == list(range(1, 11))
            for number in set(range(1, 11)) - set(kept):
                await storage.append([Expired(to, (number,))])
            if not reopened:
                assert await storage.append(messages(to)) == [11]
        async with bench.open() as storage:
            assert await storage.append(messages(to)) == [11 if reopened else 12]
            found = [each.sequence for each in await bench.everything(storage) if each.message.to == to]
            assert found == [*kept, *([11] if reopened else [11, 12])]


async def test_reading_what_was_kept_long_ago(bench: Any) -> None:
    """Among many that came and went, the one message that stayed is found by its number."""
    async with bench.open() as storage:
        for _ in range(20):
            numbers = await storage.append(messages(*["a"] * 100))
            await storage.append([Expired("a", tuple(number for number in numbers if number != 42))])
        await storage.append([Read("a", (42,))])
    (stored,) = await bench.everything()
    assert (stored.sequence, stored.message.read) == (42, True)


async def test_many_recipients_in_one_batch(bench: Any) -> None:
    """Messages to different recipients do not get in each other's way over several batches."""
    async with bench.open() as storage:
        for count in range(1, 4):
            assert await storage.append(messages("a", "b", "a", "c")) == [2 * count - 1, count, 2 * count, count]
    assert len(await bench.everything()) == 12


async def test_times_in_another_zone(bench: Any) -> None:
    """A time with another offset is the same moment in UTC."""
    (message,) = messages("a")
    elsewhere = message.timestamp.astimezone(timezone(timedelta(hours=9)))
    async with bench.open() as storage:
        await storage.append([Sent(message, elsewhere)])
    (stored,) = await bench.everything()
    assert stored.expires_at == message.timestamp
    assert stored.expires_at.tzinfo is UTC
