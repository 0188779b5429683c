"""What happens, line by line: for pipes and files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from observatory import Message
from observatory.cli.output import harmless, shorten

_SHOWN = 160


class PlainShow:
    """Prints a line for each message.

    Args:
        began: when the work began.
    """

    frame = 0.0

    def __init__(self, began: datetime) -> None:
        self._began = began

    def show(self, messages: Sequence[Message]) -> None:
        """Print what was sent."""
        for message in messages:
            elapsed = (message.timestamp - self._began).total_seconds()
            text = shorten(harmless(message.content), _SHOWN)
            print(f"{elapsed:7.3f}  {message.from_:<8} → {message.to:<8}  {message.type:<8}  {text}")
