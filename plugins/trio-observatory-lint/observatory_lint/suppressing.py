"""What comments suppress, and what is wrong with them: OBS901 and OBS902."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from observatory_lint.catalogue import CODES
from observatory_lint.facts import Noqa
from observatory_lint.values import Raw

_OURS = re.compile(r"OBS\d*", re.IGNORECASE)


def judge(findings: Iterable[Raw], noqa: Sequence[Noqa], wants: Callable[[str], bool]) -> list[Raw]:
    """Return the findings that no comment suppresses, with those on the comments.

    Args:
        findings: what was found in a file.
        noqa: its comments.
        wants: whether a code is looked for in this file.
    """
    used: set[tuple[Noqa, str]] = set()
    left = [raw for raw in findings if not _is_suppressed(raw, noqa, used)]
    told = [raw for comment in noqa for raw in _on(comment, used, wants)]
    return [*left, *(raw for raw in told if not _is_suppressed(raw, noqa, used))]


def _is_suppressed(raw: Raw, noqa: Sequence[Noqa], used: set[tuple[Noqa, str]]) -> bool:
    """Return whether comments suppress a finding, and note by which of their codes."""
    by = [
        (comment, code)
        for comment in noqa
        if comment.first <= raw.place.line <= comment.last
        for code in comment.codes or ("",)
        if raw.code.startswith(code)
    ]
    used.update(by)
    return bool(by)


def _on(comment: Noqa, used: set[tuple[Noqa, str]], wants: Callable[[str], bool]) -> Iterator[Raw]:
    ours = [code for code in comment.codes if _OURS.fullmatch(code)]
    if ours and not comment.reason and wants("OBS901"):
        message = f"gives no reason: write `# noqa: {', '.join(ours)} -- why`"
        yield Raw(comment.place, "OBS901", message)
    idle = [code for code in ours if (comment, code) not in used and _is_looked_for(code, wants)]
    if idle and wants("OBS902"):
        yield Raw(comment.place, "OBS902", f"suppresses nothing: {', '.join(idle)} is not found here; remove it")


def _is_looked_for(code: str, wants: Callable[[str], bool]) -> bool:
    """Return whether a comment could suppress something at all; one that no code begins with cannot."""
    meant = [known for known in CODES if known.startswith(code)]
    return not meant or any(map(wants, meant))
