"""Kinds of values."""

from observatory.kinds import path_of


def test_path_of() -> None:
    """A path is written with dots for bare keys and brackets for everything else."""
    assert path_of(["plugins", "inbox", 2, "a.b"]) == "$.plugins.inbox[2]['a.b']"
