"""Which messages an agent was shown, as one session knows it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

_REMEMBERED = 10_000
"""Messages of which it is known that they were shown; a mailbox holds as many."""


class Shown:
    """The messages, in the order in which they were shown, and which of them nothing older is missing of.

    Whoever looks for what was not shown begins with the newest message, and can end at a settled one. So it does not
    take longer the more unread messages there are that were shown.
    """

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._number = 0
        self._settled = 0
        self._forgot = 0

    def __contains__(self, id: str) -> bool:
        return id in self._numbers

    def add(self, ids: Iterable[str]) -> Sequence[str]:
        """Note that messages were shown; return those of which that is new."""
        fresh = [id for id in ids if id not in self._numbers]
        for id in fresh:
            self._number += 1
            self._numbers[id] = self._number
        while len(self._numbers) > _REMEMBERED:
            self._numbers.popitem(last=False)
        return fresh

    def take_back(self, ids: Iterable[str]) -> None:
        """Note that messages were not shown after all."""
        for id in ids:
            self._numbers.pop(id, None)
        self._unsettle()

    def clear(self) -> None:
        """Forget all that were shown."""
        self._numbers.clear()
        self._unsettle()

    def mark(self) -> int:
        """Return what to settle, when every message was shown that is unread now."""
        return self._number

    def settle(self, mark: int) -> None:
        """Note that every message was shown that was unread when a mark was made, unless some were forgotten since."""
        if mark >= self._forgot:
            self._settled = max(self._settled, mark)

    def is_settled(self, id: str) -> bool:
        """Tell whether a message was shown, and all older ones as well."""
        return self._numbers.get(id, self._settled + 1) <= self._settled

    def _unsettle(self) -> None:
        self._number += 1
        self._forgot, self._settled = self._number, 0
