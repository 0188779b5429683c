"""`observatory doctor`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from observatory import Diagnosis, Finding, ObservatoryError, Settings, examine
from observatory.cli.endings import FAILED, OK
from observatory.cli.options import ListingOptions
from observatory.cli.output import complain, counted, harmless, make_console, note, print_json
from observatory.cli.reaching import in_time, service_on


async def doctor(
    *,
    fix: Annotated[bool, Parameter(negative="")] = False,
    options: ListingOptions = ListingOptions(),  # noqa: B008  # frozen
) -> int:
    """Look for what is wrong, and say how to mend it.

    Looking changes nothing, and can be done while an Observatory runs. On a terminal each finding has its command on a
    line of its own, else it is one line: `found` or `mended`, check, what it is about, problem, remedy. The exit code
    is 1 when something is left.

    Args:
        fix: Mend what can be mended without anybody losing anything by it.
        options: Where, and with which settings.
    """
    settings = options.settings()
    found = (*await examine(settings), *await _health(settings))
    mended: list[Diagnosis] = []
    if fix and await _mend(found):
        left = (*await examine(settings), *await _health(settings))
        mended = [each for each in found if each.finding.fix and each not in left]
        found = left
    _print(mended, found, as_json=options.json)
    _note(mended, found, fix=fix)
    return FAILED if found else OK


async def _health(settings: Settings) -> Sequence[Diagnosis]:
    """Return what the checks have found in the Observatory that runs on the root; nothing where none can be asked."""
    with suppress(ObservatoryError):
        async with service_on(settings) as client:
            if client is not None:
                health = (await in_time(client.swarm.get_state)).health
                return [Diagnosis(one.check, Finding(one.subject, one.problem, one.remedy)) for one in health]
    return ()


async def _mend(found: Iterable[Diagnosis]) -> bool:
    """Mend what can be; return whether anything may be different now."""
    tried = False
    for finding in (each.finding for each in found):
        if finding.fix is None:
            continue
        tried = True
        try:
            await finding.fix()
        except (ObservatoryError, OSError) as error:
            complain(f"{finding.subject}: it cannot be mended: {error}")
    return tried


def _print(mended: Iterable[Diagnosis], left: Iterable[Diagnosis], *, as_json: bool) -> None:
    show = _show_json if as_json else _show_block if make_console().is_terminal else _show_line
    for each in mended:
        show("mended", each)
    for each in left:
        show("found", each)


def _show_json(state: str, each: Diagnosis) -> None:
    finding = each.finding
    print_json(
        {
            "state": state,
            "check": each.check,
            "subject": finding.subject,
            "problem": finding.problem,
            "remedy": finding.remedy,
            "fixable": finding.fix is not None,
        }
    )


def _show_line(state: str, each: Diagnosis) -> None:
    finding = each.finding
    print("\t".join(map(harmless, (state, each.check, finding.subject, finding.problem, finding.remedy))))


def _show_block(state: str, each: Diagnosis) -> None:
    finding = each.finding
    text = Text.assemble((harmless(finding.subject), "bold"), (f"  {each.check}", "dim"), "\n")
    text.append(f"  {harmless(finding.problem)}\n")
    text.append(*(("  mended", "green") if state == "mended" else (f"  {harmless(finding.remedy)}", "cyan")))
    make_console().print(text, soft_wrap=True)  # a command that is copied stays one line


def _note(mended: Collection[Diagnosis], left: Collection[Diagnosis], *, fix: bool) -> None:
    if mended:
        note(f"{counted(len(mended), 'finding')} mended")
    fixable = sum(each.finding.fix is not None for each in left)
    advice = f"; `observatory doctor --fix` mends {fixable:,} of them" if fixable and not fix else ""
    note(f"{counted(len(left), 'finding')}{' left' if mended else ''}{advice}" if left else "nothing is wrong")
