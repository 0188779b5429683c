"""What is kept of the way of messages, and when it happened."""

from __future__ import annotations

from datetime import UTC, datetime

from observatory import Clock, Delivery, TracesSettings
from observatory.delivery.trail import Trail
from observatory.testing.samples import messages

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Ticking(Clock):
    """Tells a microsecond more each time."""

    ticks = 0

    def _read(self) -> int:
        self.ticks += 1
        return self.ticks


def test_a_turn() -> None:
    """A batch is committed when its turn begins, and published when that ends; all its messages share both."""
    trail = Trail(TracesSettings(), Ticking())
    found = messages("a", "b")
    trail.begin_turn()
    for number, message in enumerate(found, 1):
        trail.published(message, number, None)
    trail.end_turn()
    tracks = [trail.get(message.id) for message in found]
    assert [track and track.turn for track in tracks] == [[1, 2], [1, 2]]


def test_steps_are_bounded() -> None:
    """Those that are kept of a message are the latest, and no more than it may have hops."""
    trail = Trail(TracesSettings(max_hops=10), Ticking())
    (message,) = messages("a")
    trail.published(message, 1, None)
    for number in range(25):
        trail.reported([message.id], Delivery("files", "retrying", error=str(number)), NOW)
    assert [error for _, _, _, error in trail.steps(message.id)] == [str(number) for number in range(15, 25)]


def test_steps_leave_with_their_message() -> None:
    """Nothing is kept of what has left."""
    trail = Trail(TracesSettings(max_traces=1), Ticking())
    first, second = messages("a", "a")
    trail.published(first, 1, None)
    trail.reported([first.id], Delivery("files", "retrying", error="no"), NOW)
    trail.published(second, 2, None)
    assert (list(trail), trail.get(first.id), trail.steps(first.id)) == ([second.id], None, [])
