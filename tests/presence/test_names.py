"""Names that are near one that nobody has heard of."""

from __future__ import annotations

import pytest

from tests.presence.known import START, Known, message, team


def test_near() -> None:
    """Up to three, the nearest first; none where none is near."""
    known = Known()
    for name in ("agent-1", "agent-2", "agent-3", "agent-42", "zoe"):
        known.hear(name, "message", START)
    assert known.note(message("zoe", "agent-24")) == ("agent-2", "agent-42", "agent-3")
    assert known.note(message("zoe", "QQQQ")) == ()


def test_members() -> None:
    """A member is named as it is written to, whichever of its names is near, and once."""
    known = Known()
    known.set_teams([team("blue", "barbara")], START)
    assert known.note(message("zoe", "barbra")) == ("barbara@blue",)
    assert known.note(message("zoe", "barbara@blu")) == ("barbara@blue",)


def test_anew_when_somebody_comes() -> None:
    """What was found is remembered, until somebody comes or goes."""
    known = Known()
    assert known.note(message("zoe", "bbo")) == ()
    known.hear("bob", "message", START)
    assert known.note(message("zoe", "bbo")) == ("bob",)
    known.hear("bbo", "message", START)
    assert known.note(message("zoe", "bbo")) is None


def test_bounded() -> None:
    """Twenty names are looked for in a second; beyond that none is given, and later there is."""
    known = Known()
    known.hear("agent-42", "message", START)
    known.note(message("zoe", "zoe"))
    found = [known.note(message("zoe", f"agent-4{number:02}")) for number in range(30)]
    assert found == [("agent-42",)] * 20 + [()] * 10
    assert known.note(message("zoe", "agent-400")) == ("agent-42",)
    known.second = 1
    assert known.note(message("zoe", "agent-429")) == ("agent-42",)


def test_remembered_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is bounded, too."""
    monkeypatch.setattr("observatory.presence.register._REMEMBERED", 2)
    known = Known()
    for number in range(20):
        known.note(message("zoe", f"agent-{number}"))
        assert len(known._answers) <= 2
