"""A check that is a program of somebody's: it prints what it finds, as JSON."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import ClassVar

import attrs
import trio

from observatory.checks import Check, Finding
from observatory.errors import InvalidInputError, ObservatoryError
from observatory.wire import from_wire

_PATIENCE = 25.0
"""Seconds that a program may take; then it is ended."""

_MAX_OUTPUT = 1024 * 1024
_SHOWN = 20


@attrs.frozen
class _Printed:
    """What a program prints of one finding."""

    subject: str
    problem: str
    remedy: str


class ScriptCheck(Check):
    """Runs a program, which prints a list of objects with `subject`, `problem` and `remedy`; `[]` if nothing is wrong.

    Args:
        command: the program and its arguments.
    """

    interval: ClassVar[float | None] = 30.0

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    async def run(self) -> Sequence[Finding]:
        """Run it, and return what it has printed.

        Raises:
            OSError: it cannot be started.
            ObservatoryError: it has failed, takes too long, or prints something else.
        """
        with trio.move_on_after(_PATIENCE):
            done = await trio.run_process(
                self._command, capture_stdout=True, stderr=subprocess.DEVNULL, stdin=b"", check=False
            )
            return self._read(done.returncode, done.stdout)
        raise ObservatoryError(f"has not ended within {_PATIENCE:g} s, and was ended")

    def _read(self, code: int, printed: bytes) -> Sequence[Finding]:
        import orjson  # here, so that `import observatory` is quick

        if code:
            raise ObservatoryError(f"has ended with exit code {code}")
        if len(printed) > _MAX_OUTPUT:
            raise ObservatoryError(f"has printed more than {_MAX_OUTPUT:,} bytes")
        try:
            found = from_wire(orjson.loads(printed), list[_Printed], path="printed")
        except (orjson.JSONDecodeError, InvalidInputError) as error:
            raise ObservatoryError(f"has printed something else than a list of findings: {error}") from error
        return [
            Finding(_one_line(one.subject), _one_line(one.problem), _one_line(one.remedy)) for one in found[:_SHOWN]
        ]


def _one_line(text: str) -> str:
    shown = " ".join(text.split())
    return shown if shown.isprintable() and shown else repr(text)
