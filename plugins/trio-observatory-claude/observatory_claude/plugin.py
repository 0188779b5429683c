"""What Observatory loads through the entry point `claude`: by every command, so what does the work is imported late."""

from __future__ import annotations

from observatory import Check, CheckFactory, CommandFactory, Context, Registrar, hookimpl
from observatory_claude.group import connect


@hookimpl
def observatory_register_checks(registrar: Registrar[CheckFactory]) -> None:
    """Register the check `claude`."""
    registrar.register("claude", _make_check)


@hookimpl
def observatory_register_commands(registrar: Registrar[CommandFactory]) -> None:
    """Register `observatory connect`."""
    registrar.register("connect", connect)


def _make_check(context: Context) -> Check:
    from observatory_claude.check import ClaudeCheck

    return ClaudeCheck(context.root)
