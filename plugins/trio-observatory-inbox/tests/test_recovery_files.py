"""Files at the start: how large they may be, and what is said of those that are left."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from observatory_inbox import InboxSettings


@pytest.mark.parametrize("size", [4095, 4096, 4097, 8192, 100_000])
async def test_a_file_of_any_size_is_read_whole(bench: Any, size: int) -> None:
    """Small files are read at once, larger ones in two goes."""
    path = bench.write_file(content="")
    frame = path.stat().st_size
    path.unlink()
    path = bench.write_file(content="x" * (size - frame))
    assert path.stat().st_size == size
    (message,) = await bench.recover()
    assert message.content == "x" * (size - frame)


@pytest.mark.parametrize("limit", [1000, 4095, 4096, 10_000])
async def test_a_file_at_the_bound_is_read_and_one_beyond_it_is_left(bench: Any, limit: int) -> None:
    """Whatever the bound is."""
    await bench.restart(InboxSettings(max_file_bytes=limit))
    for number, size in enumerate((limit, limit + 1)):
        path = bench.write_file(f"agent-{number}", content="")
        frame = path.stat().st_size
        path.unlink()
        bench.write_file(f"agent-{number}", content="x" * (size - frame))
    assert [message.to for message in await bench.recover()] == ["agent-0"]
    assert bench.channel.statistics()["left"] == {"huge": 1}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"type": "response"}, "field 'type' is not 'message'"),
        ({"from": ...}, "field 'from' is missing"),
        ({"content": None}, "field 'content' is no string"),
        ({"metadata": ...}, "field 'metadata' is missing or no object"),
        ({"session_id": "somebody-else"}, "field 'session_id' is not the name of the directory"),
        (
            {"id": "00000000000000ff", "name": "00000000000000fe.json"},
            "field 'id' is not the name of the file",
        ),
        ({"timestamp": "yesterday"}, "field 'timestamp' is no ISO 8601 time with an offset"),
    ],
)
async def test_the_log_says_what_is_wrong_with_a_foreign_file(
    bench: Any, changes: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In the words of the format, so that its writer can be mended."""
    bench.write_file(**changes)
    assert await bench.recover() == []
    (record,) = caplog.records
    assert record.getMessage().endswith(why)


async def test_the_log_says_that_a_file_holds_no_object(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A list is JSON, too."""
    bench.write_file("agent-42", name="00000000000000ff.json").write_text("[]")
    assert await bench.recover() == []
    (record,) = caplog.records
    assert record.getMessage().endswith("no JSON object")


async def test_a_full_folder_is_handed_over_with_turns_in_between(bench: Any) -> None:
    """Whatever takes the messages in: others go on meanwhile, and a start can be cancelled."""
    await bench.channel.deliver([bench.post() for _ in range(1200)])
    batches: list[Any] = []
    with trio.CancelScope() as scope:

        async def adopt(batch: Any) -> None:  # noqa: ASYNC124 -- as when there is nothing new in it
            batches.append(batch)
            scope.cancel()

        await bench.channel.recover(None, adopt)
    assert scope.cancelled_caught
    assert [len(batch) for batch in batches] == [500]
