"""Frozen values in less than half the time, for those of which every message takes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import attrs

P = ParamSpec("P")
T = TypeVar("T")


def maker(kind: Callable[P, T]) -> Callable[P, T]:
    """Return what makes the same values as a frozen class of attrs, one with slots and without validators.

    Such a class sets each field by a call that gets around its own `__setattr__`. Here the fields are set as those of
    any object; when all are there, the object becomes one of the class, whose slots are the same.
    """

    def freeze(value: Any) -> None:
        value.__class__ = kind

    fields = {field.name: attrs.field(default=field.default) for field in attrs.fields(cast(type[Any], kind))}
    body = {"__attrs_post_init__": freeze}
    thawed = attrs.make_class("Thawed", fields, class_body=body, slots=True, weakref_slot=False, eq=False, repr=False)
    return cast(Callable[P, T], thawed)
