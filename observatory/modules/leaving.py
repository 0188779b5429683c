"""Acknowledged messages on their way out of the delivery channels."""

from __future__ import annotations

from collections.abc import Iterable

from observatory.delivery.parcel import Parcel, Waiter


class Leaving:
    """Acknowledged messages that the required lanes have not taken back yet, and who waits for that."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], list[Waiter]] = {}  # by recipient and id

    def add(self, to: str, ids: Iterable[str]) -> None:
        """Note that messages are being taken back."""
        for id in ids:
            self._waiting.setdefault((to, id), [])  # somebody may be waiting for an earlier one

    def follow(self, to: str, ids: Iterable[str], waiter: Waiter) -> int:
        """Let somebody wait for those of them that are; return how many that is."""
        found = [waiting for id in dict.fromkeys(ids) if (waiting := self._waiting.get((to, id))) is not None]
        for waiting in found:
            waiting.append(waiter)
        return len(found)

    def settled(self, parcel: Parcel) -> None:
        """Tell everybody who waits."""
        for waiter in self._waiting.pop((parcel.to, parcel.id), ()):
            waiter.settled(parcel)
