"""How much one request may ask for: beyond that the service refuses it, and the client makes several of it."""

from __future__ import annotations

from typing import Any

import orjson

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one answer, or of the answers to one batch."""

AT_ONCE = 1_000
"""Names, or ids of messages, in one request."""

_RECEIPT = 1_000
"""Bytes that a receipt is counted for beside what was sent."""


def copies(content: Any, metadata: Any) -> int:
    """Return to how many one request may broadcast something: each receipt in the answer has the whole message."""
    size = len(orjson.dumps([content, metadata])) + _RECEIPT
    return max(1, min(AT_ONCE, MAX_ANSWER // size))
