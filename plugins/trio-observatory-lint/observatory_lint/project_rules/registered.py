"""OBS202, OBS203, OBS204."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from observatory_lint.facts import Registration
from observatory_lint.hierarchy import Kind
from observatory_lint.project import Module, Origin
from observatory_lint.project_rules.project_rule import ProjectRule, Told, View
from observatory_lint.values import Place, Raw

CANONICAL = ("Mailbox", "SwarmMonitor", "Notes")
"""The modules that every application has."""


class Registered(ProjectRule):
    """What the application and the hooks start are the ephemeral modules: all of them, and nothing else."""

    codes: ClassVar[tuple[str, ...]] = ("OBS202", "OBS203", "OBS204")

    def check(self, view: View) -> Iterator[Told]:
        """Return what is missing in lists and hooks, and what is wrong there."""
        known: set[tuple[str, str]] = set()
        for module in view.project.modules.values():
            for hook in module.facts.hooks:
                wrong = list(_wrong(view, module, hook))
                kinds = list(_kinds(view, module, hook))
                known |= {_key(kind) for kind in (kinds if kinds or wrong else _within_reach(view, module))}
                yield from wrong
        for path, held in view.applications.items():
            application = view.project.modules[path]
            chosen = _list_of(view, application, held)
            known |= {_key(kind) for item in chosen for kind in _kinds(view, application, item)}
            for item in _beside_canonical(view, application, held):
                yield from _wrong(view, application, item._replace(name=""))
            yield from _missing(view, application, chosen)
        for kind in view.kinds:
            if _key(kind) not in known and not kind.about.abstract and not view.hierarchy.is_parent(kind):
                message = f"{kind.about.name} is not registered: neither the application's list nor a hook names it"
                yield Told(kind.module, Raw(kind.about.place, "OBS202", message))


def _key(kind: Kind) -> tuple[str, str]:
    return kind.module.path, kind.about.name


def _origins(view: View, module: Module, item: str) -> list[Origin]:
    """Return where an item comes from; of a function, what it returns, where that is seen."""
    found = []
    for origin in map(_owner, view.project.origin(module, item)):
        made = view.project.attribute(origin.module, f"{origin.name}()") if origin.module and origin.name else []
        is_class = view.hierarchy.kind(origin) is not None
        calls = [o._replace(name=o.name.removesuffix("()")) for o in made if o.name != f"{origin.name}()"]
        found += [origin] if is_class or not calls else calls
    return found


def _owner(origin: Origin) -> Origin:
    """Return the class whose method an origin is: what makes objects of it, as far as it shows."""
    head, _, method = origin.name.rpartition(".")
    about = origin.module.classes.get(head) if origin.module else None
    return origin._replace(name=head) if about and method in about.methods else origin


def _kinds(view: View, module: Module, item: Registration) -> Iterator[Kind]:
    for text in item.items:
        for origin in [] if text.startswith(("#", "!")) else _origins(view, module, text.removesuffix("()")):
            kind = view.hierarchy.kind(origin)
            if kind and view.hierarchy.is_module(kind):
                yield kind


def _within_reach(view: View, module: Module) -> Iterator[Kind]:
    """Return the modules that a file and those know that it imports from: any of them, where nothing tells which."""
    origins = list(_known_to(view, module))
    for path in {origin.module.path for origin in origins if origin.module}:
        origins += _known_to(view, view.project.modules[path])
    kinds = filter(None, map(view.hierarchy.kind, origins))
    return (kind for kind in kinds if view.hierarchy.is_module(kind))


def _known_to(view: View, module: Module) -> Iterator[Origin]:
    for name in {**module.facts.bindings, **module.facts.inner}:
        yield from view.project.attribute(module, name)


def _wrong(view: View, module: Module, hook: Registration) -> Iterator[Told]:
    """Return what a hook registers that is no module: only what is certain."""
    if any(True for _ in _kinds(view, module, hook)) and not hook.items[0].endswith("()"):
        return
    for text in hook.items:
        fault = _fault(view, module, text)
        if fault is None:
            return
        named = f" as {hook.name!r}" if hook.name else ""
        message = f"registers {text.lstrip('!@./#')}{named}, {fault}"
        yield Told(module, Raw(hook.place, "OBS203", message))
        return


def _fault(view: View, module: Module, text: str) -> str | None:
    if text.startswith("!"):
        return "which does not exist"
    if text.startswith("#"):
        return "which is no Module"
    if text.endswith("()") and any(map(view.hierarchy.is_module_origin, _origins(view, module, text[:-2]))):
        return "which is an object: register the class, or a function that makes one"
    origins = _origins(view, module, text)
    if not origins:
        return None if _may_exist(view, module, text) else "which does not exist"
    answers = {view.hierarchy.is_module_origin(origin) for origin in origins}
    return "which is no Module" if answers == {False} else None


def _may_exist(view: View, module: Module, text: str) -> bool:
    """Return whether a name may be there all the same, where nothing of it is to be seen."""
    name = view.project.named(module, text)
    if name is None:
        return True
    target = None
    while name and target is None:  # what is above it, up to a file that would have to have it
        name = name.rpartition(".")[0]
        target = view.project.find(name, module)
    return target is None or view.project.is_open(target)


def _list_of(view: View, module: Module, held: tuple[Registration, ...]) -> list[Registration]:
    """Return the elements of the application's lists; where it has none, what it constructs."""
    relevant = [
        item for item in held if any(True for _ in _kinds(view, module, item)) or _canonical(view, module, item)
    ]
    sizes: dict[str, int] = {}
    for item in relevant:
        sizes[item.name] = sizes.get(item.name, 0) + 1
    if not any(name and size > 1 for name, size in sizes.items()):
        return relevant
    return [item for item in relevant if item.name]


def _beside_canonical(view: View, module: Module, held: tuple[Registration, ...]) -> Iterator[Registration]:
    """Return the elements of what is the list of modules without doubt: it has the most canonical ones."""
    present: dict[str, set[str]] = {}
    for item in held:
        present.setdefault(item.name, set()).update(_canonical(view, module, item))
    most = max([1, *map(len, present.values())])
    return (item for item in held if ":" in item.name and len(present[item.name]) == most > 1)


def _canonical(view: View, module: Module, item: Registration) -> set[str]:
    """Return the canonical modules that an item is: ours, or a class of the project with that name."""
    found = set()
    for text in item.items:
        if text.startswith(("#", "!")):
            continue
        for origin in _origins(view, module, text):
            kind = view.hierarchy.kind(origin)
            ours = origin.module is None and origin.name.startswith("observatory.")
            if ours or (kind and view.hierarchy.is_module(kind)):
                found.add(origin.name.rpartition(".")[2])
    return found & set(CANONICAL)


def _missing(view: View, module: Module, chosen: list[Registration]) -> Iterator[Told]:
    present = {name for item in chosen for name in _canonical(view, module, item)}
    if not present:
        return
    places = [tuple(map(int, item.name.split(":"))) for item in chosen if ":" in item.name]
    for name in CANONICAL:
        if name not in present:
            place = Place(*places[0], *places[0]) if places else Place(1, 0, 1, 0)
            message = f"{name} is missing from the application's list: it is canonical, and always there"
            yield Told(module, Raw(place, "OBS204", message))
