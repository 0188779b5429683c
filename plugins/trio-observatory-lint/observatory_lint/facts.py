"""What is known of one file without knowing any other: plain values that a cache can hold."""

from __future__ import annotations

from typing import Any, NamedTuple

from observatory_lint.values import Place

HOOK = "observatory_register_modules"
"""The hook that registers ephemeral modules."""


class Import(NamedTuple):
    """One name of an import statement, or a dynamic import of a name that is constant."""

    module: str
    """The module as it is written, without the dots in front."""
    level: int
    """How many dots stand in front."""
    name: str
    """What is taken from it, `*` for everything; empty where the module itself is imported."""
    bound: str
    """The name that it gets in this file; empty for none."""
    place: Place
    """Where it is written."""
    uses: tuple[str, ...] | None
    """Of a module that is imported whole: the dotted names that are used of it; None when that cannot be told."""
    dynamic: bool
    """Whether it is imported by a call."""


class Class(NamedTuple):
    """A class, wherever it stands in the file."""

    name: str
    """The qualified name, without the function that it stands in."""
    bases: tuple[str, ...]
    """The bases as they are written, calls as `name()`; what is no dotted name is left out."""
    opaque: bool
    """Whether it has bases that are no dotted names."""
    methods: tuple[str, ...]
    """What its body binds."""
    makes: tuple[str, ...]
    """Methods that make a table: they assign a container, or an object of some class."""
    calls: tuple[str, ...]
    """What its constructor calls: methods of its own, `super` for the base's constructor, `f()` for what it keeps."""
    abstract: bool
    """Whether it has abstract methods."""
    place: Place
    """Where it begins."""


class Registration(NamedTuple):
    """What a hook registers, or the application holds."""

    name: str
    """The name it is registered under; empty where that cannot be told."""
    items: tuple[str, ...]
    """What it may be, as origins: see `names`; empty where that cannot be told."""
    place: Place
    """Where it is written."""


class Noqa(NamedTuple):
    """A comment that suppresses findings."""

    first: int
    """The first line that it speaks of: where its logical line begins."""
    last: int
    """The last one."""
    codes: tuple[str, ...]
    """What it names; empty when it suppresses everything."""
    reason: bool
    """Whether it says why."""
    place: Place
    """Where it stands."""


class Facts(NamedTuple):
    """A file."""

    imports: tuple[Import, ...]
    """Every import at any depth."""
    bindings: dict[str, tuple[str, ...]]
    """What module-level names are bound to; see `binding`."""
    inner: dict[str, int]
    """Names that only functions import, with the import's index."""
    exports: tuple[str, ...] | None
    """`__all__`, when it is constant."""
    open_ended: bool
    """Whether it may have names that cannot be seen."""
    classes: tuple[Class, ...]
    """Every class."""
    hooks: tuple[Registration, ...]
    """What its hook implementations register as modules."""
    noqa: tuple[Noqa, ...]
    """Comments that suppress findings."""


# What a name is bound to, as text: a kind and a rest.
#   import 3       the import of that index
#   class          a class of this file
#   def a.b()|c    a function, and the dotted names that it returns, `{}` for a container
#   name a.b()     another name, or the result of a call
#   table          a container that can change
#   value          something else


def dump(facts: Facts) -> list[Any]:
    """Return facts as JSON can hold them."""
    return list(facts)


def load(row: list[Any]) -> Facts:
    """Return facts from what JSON held."""
    imports, bindings, inner, exports, open_ended, classes, hooks, noqa = row
    return Facts(
        tuple(
            [
                Import(module, level, name, bound, Place(*place), None if uses is None else tuple(uses), dynamic)
                for module, level, name, bound, place, uses, dynamic in imports
            ]
        ),
        {name: tuple(values) for name, values in bindings.items()},
        inner,
        None if exports is None else tuple(exports),
        open_ended,
        tuple(
            [
                Class(name, tuple(bases), opaque, tuple(methods), tuple(makes), tuple(calls), abstract, Place(*place))
                for name, bases, opaque, methods, makes, calls, abstract, place in classes
            ]
        ),
        tuple([Registration(name, tuple(items), Place(*place)) for name, items, place in hooks]),
        tuple([Noqa(first, last, tuple(codes), reason, Place(*place)) for first, last, codes, reason, place in noqa]),
    )
