"""OBS301, of state that another module of the project holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.project import Origin
from observatory_lint.project_rules.project_rule import ProjectRule, Told, View
from observatory_lint.values import Raw


class ImportedState(ProjectRule):
    """A container of another module is shared by the whole process, too."""

    codes: ClassVar[tuple[str, ...]] = ("OBS301",)

    def check(self, view: View) -> Iterator[Told]:
        """Return one finding for each call of a method that changes one."""
        for path, look in view.ephemeral.items():
            module = view.project.modules[path]
            for text, place in look.changes:
                if any(_is_state(origin) for origin in view.project.origin(module, text)):
                    name = text.lstrip("./")
                    message = f"writes {name}, which the whole process shares: give it to the object that owns it"
                    yield Told(module, Raw(place, "OBS301", message))


def _is_state(origin: Origin) -> bool:
    if origin.module is None:
        return False
    kinds = origin.module.facts.bindings.get(origin.name, ())
    return any(kind == "table" or (kind.startswith("name ") and kind.endswith("()")) for kind in kinds)
