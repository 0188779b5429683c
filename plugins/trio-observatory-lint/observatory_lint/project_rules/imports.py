"""OBS101, OBS102, OBS103."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.facts import Import
from observatory_lint.project import Module
from observatory_lint.project_rules.project_rule import ProjectRule, Told, View
from observatory_lint.values import Place, Raw, Step


class Imports(ProjectRule):
    """No persistence library: neither here, nor by way of the project's own modules, nor by a call."""

    codes: ClassVar[tuple[str, ...]] = ("OBS101", "OBS102", "OBS103")

    def check(self, view: View) -> Iterator[Told]:
        """Return one finding for each import statement or call, and each library that it reaches."""
        for path, look in view.ephemeral.items():
            module = view.project.modules[path]
            met: set[tuple[Place, str]] = set()
            for found in (*(found for found in module.facts.imports if not found.dynamic), *look.dynamic):
                for library, steps in view.graph.chains(module, found):
                    if (found.place, library) not in met:
                        met.add((found.place, library))
                        yield _told(module, found, library, steps)
                        if len(steps) > 1:
                            break  # the nearest library is enough to see where it leads


def _told(module: Module, found: Import, library: str, steps: tuple[Step, ...]) -> Told:
    if len(steps) == 1:
        code, by = ("OBS103", "by a call ") if found.dynamic else ("OBS101", "")
        message = f"imports {steps[0].imports} {by}, of the persistence library {library}".replace(" ,", ",")
        return Told(module, Raw(found.place, code, f"{message}: an ephemeral module keeps its table in memory"), steps)
    return Told(module, Raw(found.place, "OBS102", f"reaches {library} through {steps[0].imports}"), steps)
