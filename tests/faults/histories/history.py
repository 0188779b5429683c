"""What clients have done, as they noted it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, TypeAlias

import attrs

from .client import whole_lines

Found: TypeAlias = Sequence[tuple[str, str]]
"""Id and label of unread messages, in the order of a mailbox."""

KILL = frozenset(("flushed", "fsynced"))
"""Levels that survive the end of a process."""
POWER_CUT = frozenset(("fsynced",))
"""Levels that survive a power cut."""


@attrs.frozen(kw_only=True)
class Operation:
    """What all operations have."""

    table: str
    """Which Observatory it was; one that is opened again is another one."""
    client: str
    """Who did it."""
    began: float
    """When it began, in nanoseconds."""
    ended: float = math.inf
    """When it had ended; never, if a crash came before."""


@attrs.frozen(kw_only=True)
class Opening(Operation):
    """An Observatory was opened."""


@attrs.frozen(kw_only=True)
class Send(Operation):
    """A message was sent."""

    to: str
    """The recipient."""
    label: str
    """Stands for the content: the client, its number, and a size."""
    key: str | None = None
    """The idempotency key."""
    id: str | None = None
    """The message's id, as the receipt says; like what follows it is there when the operation has ended."""
    sequence: int = 0
    """Its number."""
    kept: bool = False
    """Whether the receipt promised that it survives what happened then."""
    duplicate: bool = False
    """Whether it had been sent before under this key."""


@attrs.frozen(kw_only=True)
class Read(Operation):
    """A mailbox was read."""

    agent: str
    """Whose."""
    found: Found = ()
    """What was unread."""


@attrs.frozen(kw_only=True)
class Acknowledge(Operation):
    """Messages were acknowledged."""

    agent: str
    """Whose."""
    ids: Sequence[str]
    """Their ids."""


@attrs.frozen(kw_only=True)
class History:
    """All operations on one root, and what was unread in the end."""

    openings: Sequence[Opening] = ()
    """Every Observatory."""
    sends: Sequence[Send] = ()
    """Every send, by when it began; like the others."""
    reads: Sequence[Read] = ()
    """Every read."""
    acknowledgements: Sequence[Acknowledge] = ()
    """Every acknowledgement."""
    final: Mapping[str, Found] = attrs.field(factory=dict)
    """By recipient, as a new Observatory found it when all was over."""
    lasting: bool = False
    """Whether keys and numbers outlive an Observatory: there is storage that lasts."""

    @property
    def cut_short(self) -> int:
        """How many operations were begun and not ended."""
        return sum(each.ended == math.inf for each in (*self.sends, *self.reads, *self.acknowledgements))


def read_history(
    lines: Iterable[bytes],
    final: Mapping[str, Found],
    *,
    survive: Set[str],
    lasting: bool,
    until: float = math.inf,
) -> History:
    """Make a history of what was noted.

    Args:
        lines: of all logs; one that was cut off is left out.
        final: what was unread in the end, by recipient.
        survive: levels that survive what happened.
        lasting: whether there is storage that lasts.
        until: when it happened; what ended later may not have ended at all.
    """
    noted = sorted(whole_lines(lines))
    ends = {_operation(line): line for line in noted if line[4] in _ENDS and line[0] < until}
    kinds: dict[str, list[Any]] = {kind: [] for kind in _BEGINNINGS}
    for line in noted:
        if line[4] in _BEGINNINGS:
            kinds[line[4]].append(_read(line, ends.get(_operation(line)), survive))
    return History(
        openings=kinds["open"],
        sends=kinds["send"],
        reads=[each for each in kinds["read"] if each.ended < math.inf],
        acknowledgements=kinds["acknowledge"],
        final=final,
        lasting=lasting,
    )


_ENDS = {"opened": "open", "sent": "send", "found": "read", "acknowledged": "acknowledge"}
_BEGINNINGS = frozenset(_ENDS.values())


def _operation(line: list[Any]) -> tuple[str, str, int, str]:
    return line[1], line[2], line[3], _ENDS.get(line[4], line[4])


def _read(line: list[Any], end: list[Any] | None, survive: Set[str]) -> Operation:
    began, table, client, _, kind, *given = line
    common: dict[str, Any] = {"table": table, "client": client, "began": began}
    got: list[Any] = []
    if end is not None:
        common["ended"], got = end[0], end[5:]
    if kind == "open":
        return Opening(**common)
    if kind == "read":
        return Read(agent=given[0], found=[(id, label) for id, label in got[0]] if got else (), **common)
    if kind == "acknowledge":
        return Acknowledge(agent=given[0], ids=given[1], **common)
    to, label, key = given
    if end is None:
        return Send(to=to, label=label, key=key, **common)
    id, sequence, levels, duplicate = got
    kept = not survive.isdisjoint(levels)
    return Send(to=to, label=label, key=key, id=id, sequence=sequence, kept=kept, duplicate=duplicate, **common)
