"""The JSON of Claude Code's team inboxes and of `config.json`. The only place that knows these formats.

Both are observed, not documented: what is read is read leniently, and what others wrote keeps its bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from typing import Any

import attrs
import orjson

from observatory import Message

_DEFAULT_COLOR = "blue"
_SUMMARY = 80  # characters
_WHITESPACE = b" \t\r\n"
_INVISIBLE = "\ufeff"  # JavaScript's trim() takes it away, Python's strip() does not
_PROTOCOL = re.compile(
    r"[a-z]+(_[a-z]+)*_(request|response|approved|rejected|notification|assignment|completed|terminated|update)"
).fullmatch


class UnreadableError(ValueError):
    """Raised when a file does not hold what it is there for."""


def file_name(name: str) -> str:
    """Return what a team or a member is called in the file system."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


@attrs.frozen
class Member:
    """A member of a team, as far as it matters here."""

    name: str
    """Its name in the team."""
    agent_id: str | None
    """Its name everywhere, `name@team`."""
    color: str | None
    """The colour it is shown in."""


@attrs.frozen
class Roster:
    """What `config.json` says of a team."""

    name: str | None
    """The team's name; the name of its folder is made from it."""
    members: Sequence[Member]
    """In the order of the file."""


@attrs.frozen
class Entries:
    """An inbox as it was read: nothing of it is changed by appending."""

    raw: bytes
    """The bytes of the file."""
    count: int
    """How many entries it holds."""
    ids: Collection[str]
    """Each `msg_id` in it."""


_NONE = Entries(b"[]", 0, frozenset())


def read_roster(raw: bytes) -> Roster:
    """Read `config.json`; members without a name are passed over.

    Raises:
        UnreadableError: when it is no JSON object with a list of members.
    """
    data = _load(raw)
    members = data.get("members") if isinstance(data, dict) else None
    if not isinstance(members, list):
        raise UnreadableError("no JSON object with a list 'members'")
    return Roster(_text(data, "name"), tuple(_member(each) for each in members if _text(each, "name") is not None))


def read_entries(raw: bytes | None) -> Entries:
    """Read an inbox.

    Args:
        raw: the bytes of the file, or None when there is none.

    Raises:
        UnreadableError: when it is no JSON array.
    """
    if raw is None:
        return _NONE
    data = _load(raw)
    if not isinstance(data, list):
        raise UnreadableError("no JSON array")
    ids = (_text(each, "msg_id") for each in data)
    return Entries(raw, len(data), frozenset(id for id in ids if id is not None))


def encode_entry(message: Message, color: str | None) -> bytes:
    """Return the bytes of a message's entry, indented as Claude Code does.

    Args:
        message: the message.
        color: its sender's, if that is a member.

    Raises:
        TypeError: when JSON cannot hold the message.
    """
    entry = {
        "from": message.from_,
        "text": message.content,
        "summary": _summary(message.content),
        "timestamp": f"{message.timestamp.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "color": color or _DEFAULT_COLOR,
        "msgV": 1,
        "msg_id": message.id,
        "type": "message",
        "read": False,
    }
    return b"  " + orjson.dumps(entry, option=orjson.OPT_INDENT_2).replace(b"\n", b"\n  ")


def append(entries: Entries, added: Sequence[bytes]) -> bytes:
    """Return an inbox with encoded entries before its closing bracket, and everything else as it is."""
    end = entries.raw.rindex(b"]")
    head = entries.raw[:end].rstrip(_WHITESPACE)
    return head + (b",\n" if entries.count else b"\n") + b",\n".join(added) + b"\n" + entries.raw[end:]


def looks_like_protocol(content: str) -> bool:
    """Tell whether Claude Code could take a content for one of its own protocol messages.

    That is a JSON object whose `type` is made like `shutdown_request`, `plan_approval_response` or
    `idle_notification`. New ones appear without notice, so the rule goes by how they are made.
    """
    text = content.strip().strip(_INVISIBLE).strip()
    if not text.startswith("{"):
        return False
    try:
        data = json.loads(text)
    except RecursionError:
        return True  # nested deeper than can be looked into here
    except ValueError:
        return False
    kind = _text(data, "type")
    return kind is not None and _PROTOCOL(kind) is not None


def _load(raw: bytes) -> Any:
    """Read what Node reads: lone halves of surrogate pairs as escapes, and bytes that are no UTF-8, are no error."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(raw.decode("utf-8", errors="replace"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not JSON: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _member(data: Mapping[str, Any]) -> Member:
    return Member(data["name"], _text(data, "agentId"), _text(data, "color"))


def _text(data: Any, field: str) -> str | None:
    value = data.get(field) if isinstance(data, dict) else None
    return value if isinstance(value, str) else None


def _summary(content: str) -> str:
    """Return the beginning of a content as one line."""
    line = " ".join(content[: 4 * _SUMMARY].split())
    return line if len(line) <= _SUMMARY else line[: _SUMMARY - 1] + "…"
