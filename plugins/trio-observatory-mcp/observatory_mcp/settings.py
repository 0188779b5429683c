"""What can be set under `[plugins.mcp]`."""

from __future__ import annotations

import math
from typing import Any

import attrs

from observatory import SettingsError


def _count(least: int) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SettingsError(
                f"$.{attribute.name}", f"expected a whole number of at least {least:,}, got {value!r:.80}"
            )

    return check


def _seconds(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise SettingsError(f"$.{attribute.name}", f"expected a number of seconds above 0, got {value!r:.80}")


@attrs.frozen(kw_only=True)
class McpSettings:
    """`[plugins.mcp]`: bounds of what an agent is told, and of what it may send."""

    max_chars: int = attrs.field(default=20_000, validator=_count(1_000))
    """Characters of messages and tasks that `check_inbox` and `get_tasks` return, where not asked for less or more; and
    of notes."""
    max_line_bytes: int = attrs.field(default=8_388_608, validator=_count(65_536))
    """Bytes of one protocol message on standard input; a longer one is refused."""
    max_requests: int = attrs.field(default=100, validator=_count(1))
    """Requests of a connection that are answered at a time; one more is refused."""
    max_sessions: int = attrs.field(default=1_000, validator=_count(1))
    """Sessions over HTTP at a time; a request that would begin one more is answered with 503."""
    session_seconds: float = attrs.field(default=1_800.0, validator=_seconds)
    """Seconds after which a session over HTTP ends in which nothing is asked, and no stream of changes is open."""
