"""What a message may be, seen through `send_message`: every refusal names the field and what is allowed."""

from __future__ import annotations

import enum
import math
import re
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from trio.testing import wait_all_tasks_blocked

from observatory import InvalidInputError, Observatory

Open = Callable[..., AbstractAsyncContextManager[Observatory]]

MIB = 1024 * 1024


class Level(enum.IntEnum):
    """A number with a name."""

    HIGH = 3


def nested(levels: int) -> dict[str, Any]:
    """Return objects in each other, so many levels deep."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def cycle() -> dict[str, Any]:
    """Return an object that contains itself, twice."""
    value: dict[str, Any] = {}
    value["again"] = [value, value]
    return value


def widespread() -> dict[str, Any]:
    """Return a small object that would be huge when it is copied, although there is nothing in it."""
    value: Any = ""
    for _ in range(10):
        value = [value] * 10
    return {"": value}


async def refusal(obs: Observatory, **changes: Any) -> str:
    """Send a message with changes that must be refused, and return the error's text; nothing may have happened."""
    fields = {"to": "a", "from_": "b", "content": "hello"} | changes
    with pytest.raises(InvalidInputError) as caught:
        await obs.mailbox.send_message(**fields)
    assert str(caught.value) == f"{caught.value.field}: {caught.value.reason}"
    assert len(str(caught.value)) < 4_000
    assert obs.mailbox.get_stats() == {}
    return str(caught.value)


NAMES = ["", ".", "..", ".a", "a/b", "/etc/passwd", "..\\a", "a\n", "\na", "a b", "ä", "\ud800", "\0", "a:b", "a" * 129]


@pytest.mark.parametrize("field", ["to", "from"])
@pytest.mark.parametrize("name", NAMES)
async def test_names_that_are_not_allowed(open_here: Open, field: str, name: str) -> None:
    """Recipients and senders are names of directories, and nothing else."""
    async with open_here() as obs:
        text = await refusal(obs, **{field if field == "to" else "from_": name})
        assert text.startswith(f"{field}: ")
        assert "is no name: 1 to 128 characters of A-Z a-z 0-9 . _ @ + - are allowed, no dot at the start" in text


@pytest.mark.parametrize("name", [None, 5, b"a", ["a"], object()])
async def test_names_that_are_no_strings(open_here: Open, name: Any) -> None:
    """The error says what was given instead."""
    async with open_here() as obs:
        kind = type(name).__name__
        assert await refusal(obs, to=name) == f"to: expected a name, got {kind}"
        assert await refusal(obs, from_=name) == f"from: expected a name, got {kind}"


@pytest.mark.parametrize("name", ["a", "a" * 128, "agent@team", "a.b", "-rf", "+1", "_", "0", "a..", "A"])
async def test_names_that_are_allowed(open_here: Open, name: str) -> None:
    """Everything within the rule is a recipient and a sender."""
    async with open_here() as obs:
        message = (await obs.mailbox.send_message(name, name, "")).message
        assert (message.to, message.from_) == (name, name)


@pytest.mark.parametrize(
    ("type", "reason"),
    [
        ("", "'' is no type: 1 to 128 printable characters are allowed"),
        ("a\nb", r"'a\nb' is no type"),
        ("\x1b[31m", r"'\x1b[31m' is no type"),
        ("\ud800", r"'\ud800' is no type"),
        ("a" * 129, "…' is no type"),
        (None, "expected a string, got NoneType"),
        (5, "expected a string, got int"),
    ],
)
async def test_types_that_are_not_allowed(open_here: Open, type: Any, reason: str) -> None:
    """A type is a short printable text."""
    async with open_here() as obs:
        assert re.match(f"type: .*{re.escape(reason)}", await refusal(obs, type=type))


@pytest.mark.parametrize("type", ["a", "context push ✓", "a" * 128])
async def test_types_that_are_allowed(open_here: Open, type: str) -> None:
    """Applications choose their own."""
    async with open_here() as obs:
        assert (await obs.mailbox.send_message("a", "b", "", type=type)).message.type == type


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "expected text, got NoneType"),
        (b"hello", "expected text, got bytes"),
        (["hello"], "expected text, got list"),
        ("x" * (MIB + 1), "has 1,048,577 bytes or more; at most 1,048,576 are allowed"),
        ("ü" * (MIB // 2) + "x", "has 1,048,577 bytes or more; at most 1,048,576 are allowed"),
        ("a\ud800", "has a lone surrogate at character 1, which UTF-8 cannot hold"),
    ],
    ids=["None", "bytes", "list", "long", "long in UTF-8", "surrogate"],
)
async def test_contents_that_are_not_allowed(open_here: Open, content: Any, reason: str) -> None:
    """Content is text of at most 1 MiB in UTF-8."""
    async with open_here() as obs:
        assert await refusal(obs, content=content) == f"content: {reason}"


@pytest.mark.parametrize(
    "content", ["", "\0", "\u2028\r\n", "\U0001f514", "x" * MIB, "ü" * (MIB // 2)], ids=lambda content: content[:1]
)
async def test_contents_that_are_allowed(open_here: Open, content: str) -> None:
    """Every text arrives as it was sent."""
    async with open_here() as obs:
        await obs.mailbox.send_message("a", "b", content)
        assert obs.mailbox.get_messages("a")[0].content == content


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ([], "metadata: expected a JSON object, got list"),
        ("{}", "metadata: expected a JSON object, got str"),
        (0, "metadata: expected a JSON object, got int"),
        ({"a": [1, math.nan]}, "metadata.a[1]: is nan, which JSON cannot hold"),
        ({"a": {"b": -math.inf}}, "metadata.a.b: is -inf, which JSON cannot hold"),
        ({1: 2}, "metadata: has a key of type int; keys are strings"),
        ({"a": ({None: 2},)}, "metadata.a[0]: has a key of type NoneType; keys are strings"),
        ({"a": "\udfff"}, "metadata.a: has a lone surrogate at character 0, which UTF-8 cannot hold"),
        ({"\udfff": 1}, "metadata: has a lone surrogate at character 0, which UTF-8 cannot hold"),
        ({"a": 2**63}, "metadata.a: is an integer beyond 64 bits; write it as a string"),
        ({"a": -(2**63) - 1}, "metadata.a: is an integer beyond 64 bits; write it as a string"),
        ({"a": {1, 2}}, "metadata.a: is a set, which JSON cannot hold"),
        ({"a": b"b"}, "metadata.a: is a bytes, which JSON cannot hold"),
        ({"a": Decimal(1)}, "metadata.a: is a Decimal, which JSON cannot hold"),
        ({"a": datetime.now(UTC)}, "metadata.a: is a datetime, which JSON cannot hold"),
        ({"k" * 90: object()}, f"metadata.{'k' * 40}: is a object, which JSON cannot hold"),
        (nested(65), "metadata: is nested deeper than 64 levels, or contains itself"),
        ({"a": "x" * 262_144}, "metadata: has more than the 262,144 bytes that are allowed"),
        ({"a": [None] * 50_000}, "metadata: has more than the 262,144 bytes that are allowed"),
        ({"x" * 262_144: 1}, "metadata: has more than the 262,144 bytes that are allowed"),
        (widespread(), "metadata: has more than the 262,144 bytes that are allowed"),
    ],
    ids=range(21),
)
async def test_metadata_that_is_not_allowed(open_here: Open, metadata: Any, text: str) -> None:
    """The error names the path of what JSON cannot hold."""
    async with open_here() as obs:
        assert await refusal(obs, metadata=metadata) == text


async def test_metadata_that_contains_itself(open_here: Open) -> None:
    """It is refused before the copy has grown."""
    async with open_here() as obs:
        assert (await refusal(obs, metadata=cycle())).startswith("metadata: is nested deeper than 64 levels, or")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, {}),
        ({}, {}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(b=1, a=(1, 2)), {"b": 1, "a": [1, 2]}),
        ({"": [None, True, False, 0, -0.5, "", [], {}]}, {"": [None, True, False, 0, -0.5, "", [], {}]}),
        ({"level": Level.HIGH, "max": 2**63 - 1, "min": -(2**63)}, {"level": 3, "max": 2**63 - 1, "min": -(2**63)}),
        (nested(64), nested(64)),
    ],
    ids=range(7),
)
async def test_metadata_that_is_allowed(open_here: Open, metadata: Any, expected: dict[str, Any]) -> None:
    """A JSON object arrives as it was sent."""
    async with open_here() as obs:
        found = (await obs.mailbox.send_message("a", "b", "", metadata=metadata)).message.metadata
        assert found == expected
        assert list(found) == list(expected)


async def test_metadata_is_copied(open_here: Open) -> None:
    """What the sender changes later does not reach the message, and nobody can change the message's own."""
    async with open_here() as obs:
        inner = [1]
        metadata: dict[str, Any] = {"inner": inner}
        message: Any = (await obs.mailbox.send_message("a", "b", "", metadata=metadata)).message
        inner.append(2)
        metadata["more"] = 3
        assert message.metadata == {"inner": [1]}
        with pytest.raises(TypeError):
            message.metadata["more"] = 3


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text("abü"), children, max_size=4),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=st.dictionaries(st.text("abü"), JSON, max_size=4))
async def test_any_json_survives_a_file(open_here: Open, metadata: dict[str, Any]) -> None:
    """Whatever JSON object is sent is what the next process finds in the inbox."""
    async with open_here(installed=["inbox"]) as obs:
        sent = (await obs.mailbox.send_message("a", "b", "", metadata=metadata)).message
        async with open_here(installed=["inbox"]) as another:
            assert another.mailbox.get_messages("a") == [sent]
        await obs.mailbox.mark_read("a", sent.id)


async def test_refusals_leave_nothing_behind(open_here: Open) -> None:
    """After a hundred bad messages a good one is the first."""
    async with open_here() as obs:
        for _ in range(100):
            await refusal(obs, metadata={"a": math.nan})
        await wait_all_tasks_blocked()
        assert (await obs.mailbox.send_message("a", "b", "")).sequence == 1
