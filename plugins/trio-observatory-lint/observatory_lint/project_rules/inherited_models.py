"""OBS105, by way of the project's classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.hierarchy import Kind
from observatory_lint.model_names import MARKS, is_model
from observatory_lint.project_rules.project_rule import ProjectRule, Told, View
from observatory_lint.values import Raw


class InheritedModels(ProjectRule):
    """A class is a model when something that it derives from is one, wherever that is defined."""

    codes: ClassVar[tuple[str, ...]] = ("OBS105",)

    def check(self, view: View) -> Iterator[Told]:
        """Return one finding for each class."""
        for path, look in view.ephemeral.items():
            module = view.project.modules[path]
            told = {raw.place.line for raw in look.findings if raw.code == "OBS105"}
            for about in (about for about in module.facts.classes if about.place.line not in told):
                for origin, steps in view.hierarchy.ancestors(Kind(module, about)):
                    base = view.hierarchy.kind(origin)
                    if (
                        is_model(origin.name, view.libraries)
                        if base is None
                        else not MARKS.isdisjoint(base.about.methods)
                    ):
                        message = f"{about.name} declares a persistent model: it derives from {origin.name}"
                        yield Told(module, Raw(about.place, "OBS105", message), steps)
                        break
