"""Messages as values: read-only, and yet copied, pickled and written as JSON like others."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from operator import delitem, setitem
from typing import Any

import pytest
import trio

from observatory import Message, Metadata, open_observatory, to_wire

CHANGES: list[Callable[[Any], Any]] = [
    lambda metadata: setitem(metadata, "n", 2),
    lambda metadata: delitem(metadata, "n"),
    lambda metadata: metadata.__ior__({"n": 2}),
    lambda metadata: metadata.clear(),
    lambda metadata: metadata.pop("n"),
    lambda metadata: metadata.popitem(),
    lambda metadata: metadata.setdefault("m", 2),
    lambda metadata: metadata.update(n=2),
]


@pytest.fixture(params=[None, {"n": 1, "list": [1, {"a": None}]}], ids=["none", "some"])
def message(request: pytest.FixtureRequest, bare_settings: Any) -> Message:
    """Return a message without and with metadata, as it was sent."""

    async def send() -> Message:
        async with open_observatory(bare_settings()) as obs:
            return (await obs.mailbox.send_message("a", "b", "hello", metadata=request.param)).message

    return trio.run(send)


def pickled(message: Message) -> Message:
    """Return what comes back from a pickle."""
    back: Message = pickle.loads(pickle.dumps(message))  # noqa: S301 -- the bytes are our own
    return back


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_copies(message: Message, copied: Callable[[Message], Message]) -> None:
    """A copy is equal, and as read-only."""
    copy = copied(message)
    assert copy == message
    assert type(copy.metadata) is Metadata


def test_a_deep_copy_shares_nothing(message: Message) -> None:
    """What is below the top level, too, is the copy's own."""
    copied: Any = copy.deepcopy(message)
    for inner in copied.metadata.values():
        assert isinstance(inner, int) or inner is not message.metadata["list"]


def test_json(message: Message) -> None:
    """Metadata are written as the object that they are."""
    assert json.loads(json.dumps(message.metadata)) == message.metadata


def test_wire(message: Message) -> None:
    """On the wire they are a plain object, which may be changed."""
    assert type(to_wire(message)["metadata"]) is dict


@pytest.mark.parametrize("change", CHANGES)
def test_read_only(change: Callable[[Any], Any]) -> None:
    """No way to change a dict changes metadata."""
    metadata = Metadata({"n": 1})
    with pytest.raises(TypeError, match=r"cannot be changed; change a copy of them: dict\(metadata\)"):
        change(metadata)
    assert metadata == {"n": 1}
