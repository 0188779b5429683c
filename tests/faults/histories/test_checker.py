"""The checker of histories: it finds what is wrong, and nothing in a history that is right."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs
import pytest

from .checker import problems
from .client import content_of, label_of
from .history import KILL, POWER_CUT, Acknowledge, Found, History, Opening, Read, Send, read_history

pytestmark = pytest.mark.faults

A, B, C = ("id-a", "one:1:0"), ("id-b", "one:2:0"), ("id-c", "two:1:0")


def send(message: tuple[str, str], began: float, sequence: int, **more: Any) -> Send:
    """Return a send to `bob` that took two moments, in the first Observatory."""
    id, label = message
    given: dict[str, Any] = {"table": "1", "ended": began + 2, "id": id, "sequence": sequence, "kept": True} | more
    return Send(to="bob", label=label, client=label.partition(":")[0], began=began, **given)


def read(began: float, *found: tuple[str, str], table: str = "1") -> Read:
    """Return that `bob` has read his mailbox, which took a moment."""
    return Read(table=table, client="one", began=began, ended=began + 1, agent="bob", found=found)


def acknowledge(message: tuple[str, str], began: float, *, table: str = "1", lasts: float = 2) -> Acknowledge:
    """Return that `bob` has acknowledged a message."""
    return Acknowledge(table=table, client="one", began=began, ended=began + lasts, agent="bob", ids=[message[0]])


RIGHT = History(
    openings=[Opening(table="1", client="x", began=0, ended=1), Opening(table="2", client="x", began=100, ended=101)],
    sends=[send(A, 10, 1), send(C, 11, 2), send(B, 20, 3)],
    reads=[read(30, A, C, B), read(50, A, B), read(110, A, B, table="2")],
    acknowledgements=[acknowledge(C, 40)],
    final={"bob": [A, B]},
)


def found(**changed: Any) -> list[str]:
    """Return by which rules the history is wrong, when it is changed."""
    return sorted({problem.partition(":")[0] for problem in problems(attrs.evolve(RIGHT, **changed))})


def test_a_history_that_is_right() -> None:
    """Nothing is found in it."""
    assert found() == []


def test_lost() -> None:
    """A message that was promised to survive is not there in the end."""
    assert found(final={"bob": [A]}) == ["lost"]
    assert found(final={}) == ["lost"]


def test_not_promised() -> None:
    """What was not receipted, or not promised to survive, may be lost, and may be there."""
    for more in ({"kept": False}, {"ended": math.inf, "id": None, "kept": False}):
        sends = [*RIGHT.sends[:2], send(B, 20, 3, **more)]
        reads = [read(22, A, C)]
        assert found(sends=sends, reads=reads, final={"bob": [A]}) == []
        assert found(sends=sends, reads=reads, final={"bob": [A, B]}) == []


def test_begun_to_be_acknowledged() -> None:
    """What a crash has cut the acknowledgement of short may be there or not."""
    begun = [*RIGHT.acknowledgements, acknowledge(B, 60, lasts=math.inf)]
    assert found(acknowledgements=begun) == []
    assert found(acknowledgements=begun, final={"bob": [A]}) == []


def test_hidden() -> None:
    """A message is not unread although its receipt came before somebody read, and nobody has acknowledged it."""
    assert found(reads=[read(30, A, C)]) == ["hidden"]
    assert found(reads=[read(50, A)]) == ["hidden"]


def test_not_hidden() -> None:
    """A message whose receipt has not come, or that is just being acknowledged, or is another Observatory's, may be."""
    assert found(reads=[read(21, A, C), read(30, table="2"), read(41, A, B)]) == []
    assert found(reads=[read(21, A, C, B), read(41, A, C, B)]) == []


def test_strange() -> None:
    """A message is found that nobody has sent, or not so, or not to that recipient, or not yet."""
    assert found(final={"bob": [A, B, ("id-x", "one:3:0")]}) == ["strange"]
    assert found(final={"bob": [A, B], "alice": [("id-x", "one:1:0")]}) == ["doubled", "strange"]
    assert found(reads=[read(15, A, C, B)]) == ["strange"]
    torn = label_of(content_of("one:1:7")[:-1])
    assert found(final={"bob": [("id-a", torn), B]}) == ["strange"]


def test_doubled() -> None:
    """A message is there twice: under one id, or with another one."""
    assert found(final={"bob": [A, A, B]}) == ["doubled"]
    assert found(final={"bob": [A, ("id-x", A[1]), B]}) == ["doubled"]
    assert found(reads=[read(30, A, C, B), read(50, ("id-x", A[1]), A, B)]) == ["doubled"]


def test_sent_again_without_a_key() -> None:
    """Then it is another message."""
    again = [*RIGHT.sends, send(("id-x", B[1]), 60, 4)]
    assert found(sends=again, final={"bob": [A, B, ("id-x", B[1])]}) == []


def keyed(*sends: Send, lasting: bool = True) -> list[str]:
    """Return what is found with sends under a key, of which the message is there."""
    with_key = [attrs.evolve(each, key="key") for each in sends]
    final = {"bob": [A, B]}
    return found(sends=[*RIGHT.sends[:2], *with_key], reads=[read(31, A, C, B)], final=final, lasting=lasting)


def test_sent_again_under_its_key() -> None:
    """It is the same message, and only the first is not a duplicate."""
    again = send(B, 30, 3, duplicate=True)
    assert keyed(send(B, 20, 3), again) == []
    assert keyed(send(B, 20, 3), attrs.evolve(again, duplicate=False)) == ["keyed_twice", "misnumbered"]
    assert keyed(send(B, 20, 3), attrs.evolve(again, id="id-x")) == ["doubled", "keyed_twice", "lost"]


def test_a_key_in_another_observatory() -> None:
    """It holds there when storage lasts."""
    again = send(("id-x", B[1]), 120, 1, table="2")
    final = {"bob": [A, B, ("id-x", B[1])]}
    sends = [*RIGHT.sends[:2], *(attrs.evolve(each, key="key") for each in (RIGHT.sends[2], again))]
    assert found(sends=sends, final=final) == []
    assert found(sends=sends, final=final, lasting=True) == ["doubled", "keyed_twice", "misnumbered"]


def test_out_of_order() -> None:
    """A client's messages are found in another order than they were sent in; those of different ones may be."""
    assert found(final={"bob": [B, A]}) == ["out_of_order"]
    assert found(reads=[read(30, A, B, C)]) == []
    assert found(reads=[read(30, B, A, C)]) == ["out_of_order"]


def test_come_back() -> None:
    """What was acknowledged is unread: in the end, later in the same Observatory, or in one that is opened later."""
    assert found(final={"bob": [A, C, B]}) == ["come_back"]
    assert found(reads=[read(43, A, C, B)]) == ["come_back"]
    assert found(reads=[read(110, A, C, B, table="2")]) == ["come_back"]


def test_acknowledged_in_another_observatory() -> None:
    """It may be unread for a while here, and not again."""
    elsewhere = [acknowledge(C, 140, table="2")]
    still, gone = read(150, A, C, B), read(160, A, B)
    assert found(acknowledgements=elsewhere, reads=[still, gone]) == []
    assert found(acknowledgements=elsewhere, reads=[still, gone, read(170, A, C, B)]) == ["come_back"]
    assert found(acknowledgements=elsewhere, reads=[still, gone, read(160.5, A, C, B)]) == []


@pytest.mark.parametrize("sequence", [1, 2])
def test_misnumbered(sequence: int) -> None:
    """A later message has not a later number."""
    assert found(sends=[send(A, 10, 1), send(C, 11, 2), send(B, 20, sequence)]) == ["misnumbered"]


def test_numbers_of_sends_at_the_same_time() -> None:
    """They come in any order; those of another Observatory count anew, unless storage lasts."""
    assert found(sends=[send(A, 10, 2), send(C, 11, 1), send(B, 20, 3)]) == []
    sends = [*RIGHT.sends, send(("id-x", "two:2:0"), 120, 1, table="2", kept=False)]
    assert found(sends=sends) == []
    assert found(sends=sends, lasting=True) == ["misnumbered"]


LINES = [
    [10, "1", "x", 0, "open"],
    [11, "1", "x", 0, "opened"],
    [20, "1", "one", 1, "send", "bob", "one:1:0", "key"],
    [21, "1", "one", 1, "sent", "id-a", 1, ["memory", "flushed"], False],
    [30, "1", "one", 2, "read", "bob"],
    [31, "1", "one", 2, "found", [["id-a", "one:1:0"]]],
    [40, "1", "one", 3, "acknowledge", "bob", ["id-a"]],
    [41, "1", "one", 3, "acknowledged"],
]


def read_lines(lines: list[Any], survive: frozenset[str] = KILL, until: float = math.inf) -> History:
    """Return the history of lines of a log, the last of which was cut off."""
    written = [json.dumps(line).encode() for line in lines]
    final: dict[str, Found] = {}
    cut_off = b'[50, "1", "one", 4, "re'
    return read_history([*written, cut_off], final, survive=survive, lasting=False, until=until)


def test_reading_a_log() -> None:
    """Beginnings and ends come together, whatever their order."""
    history = read_lines(LINES[::-1])
    assert history == read_lines(LINES)
    assert (history.sends[0].began, history.sends[0].ended, history.sends[0].kept) == (20, 21, True)
    assert history.reads[0].found == [("id-a", "one:1:0")]
    assert history.acknowledgements[0].ended == 41
    assert history.cut_short == 0


def test_reading_a_log_of_a_power_cut() -> None:
    """What survives a kill need not survive that, and what ended later may not have ended."""
    history = read_lines(LINES, survive=POWER_CUT, until=41)
    assert not history.sends[0].kept
    assert history.acknowledgements[0].ended == math.inf
    assert history.cut_short == 1


def test_reading_a_log_that_was_cut_off() -> None:
    """A line that a kill has cut off counts for nothing, wherever it was cut."""
    whole = [json.dumps(line).encode() for line in LINES]
    torn = [line[:end] for line in whole for end in range(len(line))]
    assert read_history([*whole, *torn], {}, survive=KILL, lasting=False) == read_lines(LINES)


def test_labels() -> None:
    """A content that is not whole is its own label."""
    assert content_of("one:1:3") == "one:1:3:xxx"
    assert label_of("one:1:3:xxx") == "one:1:3"
    for torn in ("one:1:3:xx", "one:1:3:xxxx", "one:1:3", "one:1:", "", "one:1:3:xx\0"):
        assert label_of(torn) == torn
