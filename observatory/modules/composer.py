"""From what a caller gives to a message: checked, put to the policies, checked again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from observatory.arguments import check_name
from observatory.clock import Clock
from observatory.entries import Key
from observatory.errors import InvalidInputError, ObservatoryError, PluginError
from observatory.makers import maker
from observatory.messages import MESSAGE_OVERHEAD, Draft, Message
from observatory.modules.arrivals import IN_REPLY_TO
from observatory.modules.checks import MAX_CONTENT, check_text, check_type, copy_metadata
from observatory.modules.keys import digest_of
from observatory.registrar import Registered

_IDS_AT_A_TIME = 512
_make_message = maker(Message)
_LONGEST_LIFE = 10 * 365 * 24 * 3600  # seconds
_LONGEST_KEY = 255


class Composer:
    """Builds messages.

    Args:
        policies: what plugins have registered by name, asked in this order.
        clock: gives the timestamps.
    """

    def __init__(self, policies: Mapping[str, Registered], clock: Clock) -> None:
        self._policies = tuple(policies.items())
        self._clock = clock
        self._ids = _random_ids()

    def compose(
        self, to: str, from_: str, content: str, type: str, metadata: Mapping[str, Any] | None
    ) -> tuple[Message, int]:
        """Build a message; return it with the bytes it is counted for.

        Raises:
            InvalidInputError: an argument is not allowed.
            PolicyRefusedError: a policy does not admit it.
            PluginError: a policy has returned something else than a draft.
        """
        check_name("to", to)
        copied, size = check_draft(from_, content, type, metadata)
        if self._policies:
            draft = Draft(to, from_, content, type, copied)
            for name, policy in self._policies:
                draft = policy.item(draft)
                if not isinstance(draft, Draft):
                    raise _no_draft(name, policy.plugin, draft)
            to, from_, content, type = draft.to, draft.from_, draft.content, draft.type
            check_name("to", to)
            copied, size = check_draft(from_, content, type, draft.metadata)
        return _make_message(next(self._ids), from_, to, content, self._clock.now(), type, False, copied), size

    def compose_each(
        self, names: Iterable[str], from_: str, content: str, type: str, metadata: Mapping[str, Any] | None
    ) -> list[tuple[Message, int] | ObservatoryError]:
        """Build a message for each of many; where there can be none, the error stands in its place."""
        outcomes: list[tuple[Message, int] | ObservatoryError] = []
        for name in names:
            try:
                outcomes.append(self.compose(name, from_, content, type, metadata))
            except ObservatoryError as error:
                outcomes.append(error)
        return outcomes

    def renew(self, message: Message) -> Message:
        """Return the same message with an id and a timestamp of now."""
        return attrs.evolve(message, id=next(self._ids), timestamp=self._clock.now(), read=False)


def _random_ids() -> Iterator[str]:
    """Give ids without end; asking the system for each would take longer than all the rest of building a message."""
    while True:
        digits = os.urandom(8 * _IDS_AT_A_TIME).hex()
        for start in range(0, len(digits), 16):
            yield digits[start : start + 16]


def check_draft(from_: object, content: object, type: object, metadata: object) -> tuple[Mapping[str, Any], int]:
    """Check everything but the recipient; return a copy of the metadata, and the bytes all is counted for.

    Raises:
        InvalidInputError: an argument is not allowed.
    """
    check_name("from", from_)
    check_type(type)
    size = check_text("content", content, MAX_CONTENT)
    copied, extra = copy_metadata(metadata)
    return copied, MESSAGE_OVERHEAD + size + extra


def mark_reply(message: object, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return metadata for the answer to a message, which say what it answers.

    Raises:
        InvalidInputError: there is no message to answer, or the metadata are not allowed.
    """
    if not isinstance(message, Message):
        raise InvalidInputError("message", f"expected the Message to answer, got {type(message).__name__}")
    return {**copy_metadata(metadata)[0], IN_REPLY_TO: message.id}


def _no_draft(policy: str, plugin: str, returned: object) -> PluginError:
    what = f"the policy {policy!r} has returned {type(returned).__name__}, so nothing has happened"
    return PluginError(plugin, f"{what}; it must return the draft that it was given, or a changed one")


def expiry_of(message: Message, seconds: object) -> datetime:
    """Return when a message expires.

    Raises:
        InvalidInputError: when it is no number of seconds, or not one that a clock can show.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_LIFE:
        raise InvalidInputError(
            "expires_in", f"expected seconds above 0 and up to {_LONGEST_LIFE:,}, got {seconds!r:.80}"
        )
    return message.timestamp + timedelta(seconds=seconds)


def key_of(sender: str, key: object, to: str, content: str, type: str, metadata: Mapping[str, Any] | None) -> Key:
    """Return an idempotency key with what tells whether the same is sent again: what the sender gave, policies aside.

    Raises:
        InvalidInputError: when the key is no text of 1 to 255 characters.
    """
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise InvalidInputError(
            "idempotency_key", f"expected 1 to {_LONGEST_KEY} printable characters, got {key!r:.80}"
        )
    return Key(sender, key, digest_of(to, content, type, copy_metadata(metadata)[0]))
