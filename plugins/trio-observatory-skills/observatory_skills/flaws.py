"""Flaws as people read them."""

from __future__ import annotations

from observatory_skills.values import Flaw


def line_of(flaw: Flaw) -> str:
    """Write a flaw as compilers do: file, line, what it is about."""
    where = flaw.where if flaw.where.isprintable() else repr(flaw.where)
    line = "" if flaw.line is None else f"{flaw.line}:"
    field = "" if flaw.field is None else f"{flaw.field}: "
    return f"{where}:{line} {'' if flaw.fatal else 'warning: '}{field}{flaw.problem}"
