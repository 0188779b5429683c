"""What a session knows of the messages that were shown in it."""

from __future__ import annotations

import pytest
from observatory_mcp.shown import Shown


@pytest.fixture
def shown() -> Shown:
    """Return one in which three messages were shown, all that there were, and then another one."""
    shown = Shown()
    assert shown.add(["a", "b", "c"]) == ["a", "b", "c"]
    shown.settle(shown.mark())
    assert shown.add(["c", "d"]) == ["d"]
    return shown


def settled(shown: Shown) -> str:
    """Return which messages are settled."""
    return "".join(id for id in "abcdef" if shown.is_settled(id))


def test_settled(shown: Shown) -> None:
    """Settled is what was shown before everything was; what is shown later may have something below it."""
    assert settled(shown) == "abc"
    mark = shown.mark()
    shown.add("e")
    shown.settle(mark)
    assert settled(shown) == "abcd"
    shown.settle(1)
    assert settled(shown) == "abcd"


def test_taken_back(shown: Shown) -> None:
    """What was not shown after all may be below any that was, also for somebody who is just looking."""
    mark = shown.mark()
    shown.take_back("b")
    shown.settle(mark)
    assert ("b" in shown, "a" in shown, settled(shown)) == (False, True, "")
    assert shown.add("b") == ["b"]
    shown.settle(shown.mark())
    assert settled(shown) == "abcd"


def test_cleared(shown: Shown) -> None:
    """Nothing is known any more."""
    mark = shown.mark()
    shown.clear()
    shown.add("ad")
    shown.settle(mark)
    assert ("b" in shown, "a" in shown, settled(shown)) == (False, True, "")


def test_bounds() -> None:
    """Of ten thousand it is known: of those that were shown last."""
    shown = Shown()
    shown.add(map(str, range(10_001)))
    assert ("0" in shown, "1" in shown) == (False, True)
