"""The rules on the whole project."""

from __future__ import annotations

from observatory_lint.project_rules.construction import Construction
from observatory_lint.project_rules.imported_state import ImportedState
from observatory_lint.project_rules.imports import Imports
from observatory_lint.project_rules.inherited_models import InheritedModels
from observatory_lint.project_rules.project_rule import ProjectRule
from observatory_lint.project_rules.registered import Registered

PROJECT_RULES: tuple[ProjectRule, ...] = (
    Imports(),
    InheritedModels(),
    Registered(),
    Construction(),
    ImportedState(),
)
"""All of them."""
