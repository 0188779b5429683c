"""The log channel: one line a message, harmless whatever is in it."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from observatory import (
    DeliverySettings,
    Dropped,
    LogChannel,
    Observatory,
    Post,
    Retraction,
    open_observatory,
)
from observatory.testing.samples import messages


@pytest.fixture
async def observatory(bare_settings: Any, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Observatory]:
    """Open an Observatory that logs every message."""
    caplog.set_level(logging.INFO, "observatory.messages")
    delivery = DeliverySettings(required=("log",), disabled=())
    async with open_observatory(bare_settings(delivery=delivery)) as observatory:
        yield observatory


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged about messages."""
    return [record.getMessage() for record in caplog.records if record.name == "observatory.messages"]


async def test_one_line_for_each_message(observatory: Observatory, caplog: pytest.LogCaptureFixture) -> None:
    """A line says who wrote to whom, what kind, how long, and how it begins."""
    receipt = await observatory.mailbox.send_message("agent-42", "dashboard", "hello", type="greeting")
    assert lines(caplog) == [
        f"event='message' to='agent-42' from_='dashboard' id='{receipt.message.id}' "
        "sequence=1 type='greeting' length=5 content='hello'"
    ]
    assert receipt.deliveries["log"].state == "sent"
    assert receipt.deliveries["log"].durability is None


async def test_a_line_when_it_is_acknowledged(observatory: Observatory, caplog: pytest.LogCaptureFixture) -> None:
    """What the recipient has read is logged too."""
    message = (await observatory.mailbox.send_message("a", "b", "hello")).message
    await observatory.mailbox.mark_read("a", message.id)
    assert lines(caplog)[1:] == [f"event='retracted' to='a' id='{message.id}'"]


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines",
        "\r\x1b[2J\x1b]0;title\x07",
        "\u2028\u2029\x85\x0b\x0c",
        "\u202e\u200b\u2066",
        "%s %d {0}",
        "\x00\x7f\x9b",
    ],
)
async def test_harmless(observatory: Observatory, caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Whatever could move a cursor, hide text, begin a line of its own or be a format is shown escaped."""
    await observatory.mailbox.send_message("a", "b", text)
    (line,) = lines(caplog)
    assert line.isprintable()
    assert line.endswith(f"content={text!r}")


async def test_long_content(observatory: Observatory, caplog: pytest.LogCaptureFixture) -> None:
    """Of a long message only the beginning is shown."""
    await observatory.mailbox.send_message("a", "b", "x" * 100_000)
    assert lines(caplog)[0].endswith(f" length=100000 content='{'x' * 200}'")


async def test_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """Where posts are missing, a warning says how many."""
    (message,) = messages("a")
    caplog.set_level(logging.INFO, "observatory.messages")
    outcomes = await LogChannel().deliver([Dropped(3), Post(message, 1), Retraction("a", message.id)])
    assert len(outcomes) == 3
    assert lines(caplog)[0] == "event='dropped' count=3"
    assert caplog.records[0].levelno == logging.WARNING


async def test_left_out_unless_asked_for(bare_settings: Any) -> None:
    """By default nothing is logged."""
    async with open_observatory(bare_settings()) as observatory:
        assert "log" not in observatory.statistics().lanes
