"""The rules, one small class each."""

from __future__ import annotations

from observatory_lint.rules.commands import DatabaseCommands
from observatory_lint.rules.length import Length
from observatory_lint.rules.models import ModelsHere
from observatory_lint.rules.rule import Rule
from observatory_lint.rules.shared_state import SharedState
from observatory_lint.rules.writing import Writing

LOCAL_RULES: tuple[Rule, ...] = (DatabaseCommands(), Length(), ModelsHere(), SharedState(), Writing())
"""Rules on one ephemeral file."""
