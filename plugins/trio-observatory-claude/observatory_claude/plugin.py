"""What Observatory loads through the entry point `claude`: by every command, so what does the work is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory import Check, CheckFactory, CommandFactory, Context, Registrar, hookimpl

if TYPE_CHECKING:
    from cyclopts import App


@hookimpl
def observatory_register_checks(registrar: Registrar[CheckFactory]) -> None:
    """Register the check `claude`."""
    registrar.register("claude", _make_check)


@hookimpl
def observatory_register_commands(registrar: Registrar[CommandFactory]) -> None:
    """Register `observatory connect`."""
    registrar.register("connect", _make_commands)


def _make_check(context: Context) -> Check:
    from observatory_claude.check import ClaudeCheck

    return ClaudeCheck(context.root)


def _make_commands() -> App:
    from observatory_claude.command import app

    return app
