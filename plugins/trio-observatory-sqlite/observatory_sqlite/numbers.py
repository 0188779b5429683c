"""The numbers of messages and where each message is: in place of an index, the dearest part of a commit."""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator

_MAX_EMPTY = 100_000
"""Recipients without messages whose last number is remembered here; of others it is looked up."""


class Numbers:
    """What was given to each recipient, and the place (the rowid) of every live message.

    Args:
        connection: to the database.

    Raises:
        ValueError: the messages are not as anybody can have written them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._boxes: dict[str, _Box] = {}
        self._empty: dict[str, int] = {}
        boxes = self._boxes
        place = 0
        for place, to, number in connection.execute("SELECT place, recipient, sequence FROM messages ORDER BY place"):
            box = boxes.get(to)
            if box is None:
                box = boxes[to] = _Box()
            box.add(number, place)
        self.next_place = place + 1
        """Where the next message goes."""
        for to, last in connection.execute("SELECT name, last FROM recipients"):
            box = self._boxes.get(to)
            if box is not None and box.last < last:  # its newest message is gone
                box.last = last

    def last(self, to: str) -> int:
        """Return the last number that was given to a recipient; 0 when none was."""
        box = self._boxes.get(to)
        if box is not None:
            return box.last
        last = self._empty.get(to)
        if last is None:
            found = self._connection.execute("SELECT last FROM recipients WHERE name = ?", (to,)).fetchone()
            last = found[0] if found else 0
            self._remember(to, last)
        return last

    def find(self, to: str, number: int) -> int | None:
        """Return where a message is; None when it is not live."""
        box = self._boxes.get(to)
        return box.find(number) if box else None

    def live(self, to: str) -> Iterator[tuple[int, int]]:
        """Yield number and place of every live message of a recipient."""
        box = self._boxes.get(to)
        return box.live() if box else iter(())

    def add(self, to: str, number: int, place: int) -> None:
        """Note a new message.

        Raises:
            ValueError: its number is not higher than the last one.
        """
        box = self._boxes.get(to)
        if box is None:
            box = self._boxes[to] = _Box()
        box.add(number, place)
        if place >= self.next_place:
            self.next_place = place + 1

    def remove(self, to: str, numbers: Collection[int], last: int) -> None:
        """Forget live messages, but not the last number."""
        box = self._boxes.get(to)
        if box is not None:
            box.remove(numbers)
            if not box:
                del self._boxes[to]
                self._remember(to, last)

    def _remember(self, to: str, last: int) -> None:
        if len(self._empty) >= _MAX_EMPTY:
            self._empty.clear()
        self._empty[to] = last


class _Box:
    """The live messages of one recipient: numbers, ascending, and the place of each, 0 for one that is gone."""

    __slots__ = ("_gone", "_numbers", "_places", "last")

    def __init__(self) -> None:
        self._numbers = array("q")  # 16 bytes a message for both
        self._places = array("q")
        self._gone = 0
        self.last = 0

    def __len__(self) -> int:
        return len(self._numbers) - self._gone

    def add(self, number: int, place: int) -> None:
        if number <= self.last:
            raise ValueError(f"a message {number} stands behind a message {self.last}")
        self._numbers.append(number)
        self._places.append(place)
        self.last = number

    def find(self, number: int) -> int | None:
        index = bisect_left(self._numbers, number)
        known = index < len(self._numbers) and self._numbers[index] == number
        return self._places[index] or None if known else None

    def live(self) -> Iterator[tuple[int, int]]:
        return ((number, place) for number, place in zip(self._numbers, self._places, strict=True) if place)

    def remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._places[bisect_left(self._numbers, number)] = 0
            self._gone += 1
        if self._gone > len(self._numbers) // 2:
            kept = list(self.live())
            self._numbers = array("q", [number for number, _ in kept])
            self._places = array("q", [place for _, place in kept])
            self._gone = 0
