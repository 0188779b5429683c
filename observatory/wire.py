"""JSON shapes of values, through cattrs: one converter for messages, a strict one for settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set as AbstractSet
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints, overload

import attrs
import cattrs
from cattrs.cols import is_mapping
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
    StructureHandlerNotFoundError,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

import observatory.errors as errors
from observatory.errors import InvalidInputError, ObservatoryError, SettingsError, did_you_mean
from observatory.kinds import (
    LISTS,
    SCALARS,
    Structure,
    is_list,
    is_literal,
    is_union,
    literal,
    path_of,
    refuse,
    wire_name,
)
from observatory.messages import Message, Metadata, Receipt

T = TypeVar("T")

_ERRORS: Mapping[str, type[ObservatoryError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ObservatoryError)
}
_SHOWN = 200
"""Characters of what is said of each kind of a union."""

_FAULTS = (BaseValidationError, TypeError, ValueError, StructureHandlerNotFoundError, InvalidInputError)


@attrs.frozen
class ErrorObject:
    """What an error is on the wire."""

    error: str
    """The name of its class: one of the errors in the reference."""
    message: str
    """Its text."""
    fields: Mapping[str, Any]
    """Its attributes."""


def _collection(kind: Any, converter: cattrs.Converter) -> Structure:
    """Make a hook that takes a list, where cattrs would take a string for a list of characters."""
    item_kind = (*get_args(kind), Any)[0]
    item = _hook_of(item_kind, converter)
    make = LISTS[get_origin(kind)]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple | set | frozenset):
            refuse("a list", value)
        made: list[Any] = []
        try:
            for one in value:
                made.append(item(one, item_kind))
        except (*_FAULTS, RecursionError) as error:
            raise _placed(error, len(made), kind) from None
        return make(made)

    return structure


def _table(kind: Any, converter: cattrs.Converter) -> Structure:
    """Make a hook that takes a table of items of one kind."""
    key_kind, item_kind = (*get_args(kind), Any, Any)[:2]
    key, item = _hook_of(key_kind, converter), _hook_of(item_kind, converter)

    def structure(value: Any, _: Any) -> Any:
        made: dict[Any, Any] = {}
        try:
            for at, one in value.items():
                made[key(at, key_kind)] = item(one, item_kind)
        except (*_FAULTS, RecursionError) as error:
            raise _placed(error, at, kind) from None
        return made

    return structure


def _hook_of(kind: Any, converter: cattrs.Converter) -> Structure:
    """Return the hook of a kind; while that is being made, as of a class in itself, one that finds it later."""
    try:
        return converter.get_structure_hook(kind)
    except RecursionError:
        return converter.structure


def _placed(error: Exception, place: Any, kind: Any) -> IterableValidationError:
    """Say where in a list or table the first fault is; cattrs would go on, with an exception for each of a million."""
    error.add_note(IterableValidationNote("", place, kind))
    return IterableValidationError(f"While structuring {kind!r}", [error], kind)


def _only_tables(make: Callable[[Any, cattrs.Converter], Structure]) -> Callable[[Any, cattrs.Converter], Structure]:
    """Make a factory of hooks that take a table, where cattrs would stumble over anything else."""

    def factory(kind: Any, converter: cattrs.Converter) -> Structure:
        inner = make(kind, converter)

        def structure(value: Any, _: Any) -> Any:
            if not isinstance(value, Mapping):
                refuse("a table", value)
            return inner(value, kind)

        return structure

    return factory


def _is_choice(kind: Any) -> bool:
    """Tell whether a kind is a union that cattrs cannot resolve: more than a kind or None."""
    return is_union(kind) and not (NoneType in get_args(kind) and len(get_args(kind)) == 2)


def _choice(kind: Any, converter: cattrs.Converter) -> Structure:
    """Make a hook that takes the first kind of a union that fits."""

    def structure(value: Any, _: Any) -> Any:
        faults = []
        for one in get_args(kind):
            try:
                return converter.structure(value, one)
            except _FAULTS as error:
                path, reason = _first_fault(error, "$")
                faults.append(f"{reason} @ {path}"[:_SHOWN] if path != "$" else reason[:_SHOWN])
        raise ValueError(f"of {len(faults)} kinds that are allowed none fits: {'; '.join(faults)}")

    return structure


def _renamed(kind: Any) -> dict[str, Any]:
    return {field.name: override(rename=wire_name(field.name)) for field in attrs.fields(kind)}


def _class(kind: Any, converter: cattrs.Converter) -> Structure:
    return make_dict_structure_fn(kind, converter, **_renamed(kind))


def _message(kind: Any, converter: cattrs.Converter) -> Structure:
    table = converter.get_structure_hook(Mapping[str, Any])
    metadata = override(struct_hook=lambda value, of: Metadata(table(value, of)))
    return make_dict_structure_fn(kind, converter, **_renamed(kind) | {"metadata": metadata})


def _converter(*, forbid_extra_keys: bool) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=forbid_extra_keys, unstruct_collection_overrides={AbstractSet: list})
    for kind, structure in SCALARS.items():
        converter.register_structure_hook(kind, structure)
    converter.register_structure_hook_factory(is_literal, literal)
    converter.register_structure_hook_factory(is_list, _collection)
    converter.register_structure_hook_factory(is_mapping, _only_tables(_table))
    converter.register_structure_hook_factory(attrs.has, _only_tables(_class))
    return converter


@cache  # made when first needed: `import observatory` is to be quick
def _message_converter() -> cattrs.Converter:
    converter = _converter(forbid_extra_keys=False)
    converter.register_structure_hook(ObservatoryError, lambda data, _: error_from_wire(data))
    converter.register_structure_hook_factory(_is_choice, _choice)
    converter.register_structure_hook_factory(lambda kind: kind is Message, _only_tables(_message))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_unstructure_hook(Path, str)
    converter.register_unstructure_hook(ObservatoryError, error_to_wire)
    converter.register_unstructure_hook_factory(
        attrs.has, lambda kind: make_dict_unstructure_fn(kind, converter, **_renamed(kind))
    )
    return converter


@cache
def _settings_converter() -> cattrs.Converter:
    return _converter(forbid_extra_keys=True)


def to_wire(value: Any) -> Any:
    """Turn a value of Observatory into what JSON can hold; `from_` becomes `from`, an error an `ErrorObject`."""
    return _message_converter().unstructure(value)


@overload
def from_wire(data: Any, kind: type[T], *, path: str = "$") -> T: ...
@overload
def from_wire(data: Any, kind: Any, *, path: str = "$") -> Any: ...
def from_wire(data: Any, kind: Any, *, path: str = "$") -> Any:
    """Make a value of what JSON holds, strictly: nothing is converted. Fields that a class does not have are left out.

    Args:
        data: as a JSON parser returns it.
        kind: a class of values, such as `Message`, or another annotation: `list[Receipt]`, `str | None`. Of a union
            the first kind that fits is taken.
        path: where the data stand, for errors.

    Raises:
        InvalidInputError: something is missing or of a wrong kind; it names the path.
    """
    try:
        return _message_converter().structure(data, kind)
    except _FAULTS as error:
        where, reason = _first_fault(error, path)
        raise InvalidInputError(where, reason) from error


@cache
def _attributes_of(name: str) -> dict[str, Any]:
    return get_type_hints(_ERRORS[name], localns={"Receipt": Receipt})


def error_to_wire(error: ObservatoryError) -> dict[str, Any]:
    """Turn an error into its `ErrorObject`. A plugin's own error goes as the nearest one that every client knows."""
    name = next(kind.__name__ for kind in type(error).__mro__ if kind in _ERRORS.values())
    fields = {field: getattr(error, field) for field in _attributes_of(name) if hasattr(error, field)}
    data: dict[str, Any] = to_wire(ErrorObject(name, str(error), fields))
    return data


def error_from_wire(data: Mapping[str, Any]) -> ObservatoryError:
    """Make an error of its `ErrorObject`: the same class, text and attributes.

    What is of another version, with an unknown name or other attributes, is an `ObservatoryError` with the same text.

    Raises:
        InvalidInputError: it is no such object.
    """
    given = from_wire(data, ErrorObject)
    kind, fields = ObservatoryError, {}
    with suppress(KeyError, InvalidInputError):
        fields = {name: from_wire(given.fields[name], of) for name, of in _attributes_of(given.error).items()}
        kind = _ERRORS[given.error]
    error = kind.__new__(kind, given.message)  # its __init__ would make the text again, of what it does not keep
    vars(error).update(fields)
    return error


def structure_settings(data: Mapping[str, Any], kind: type[T], *, path: str = "$", source: str | None = None) -> T:
    """Make a settings value of `kind`, strictly: no unknown key, no conversion of kinds.

    Raises:
        SettingsError: names the path, what is wrong and what is allowed.
    """
    try:
        return _settings_converter().structure(data, kind)
    except (ClassValidationError, TypeError, StructureHandlerNotFoundError) as error:
        where, reason = _first_fault(error, path)
        raise SettingsError(where, reason, source=source) from error


def _first_fault(error: BaseException, path: str) -> tuple[str, str]:
    """Find the first leaf of cattrs' tree of errors: its JSON path and its reason."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        placed, others = error.group_exceptions()
        faults = [(inner, path_of([_key_of(note)], path)) for inner, note in placed]
        return _first_fault(*[*faults, *((inner, path) for inner in others)][0])
    if isinstance(error, ForbiddenExtraKeysError):
        key = min(map(str, error.extra_fields))
        known = [wire_name(field.name) for field in attrs.fields(error.cl)]
        return path_of([key], path), f"unknown key; {did_you_mean(key, known)}{getattr(error.cl, '_elsewhere', '')}"
    if isinstance(error, KeyError):
        return path, "required, but missing"
    if isinstance(error, RecursionError):
        return path, "is nested too deep"
    if isinstance(error, SettingsError):
        return path + error.path.removeprefix("$"), error.reason
    if isinstance(error, InvalidInputError):
        return path + error.field.removeprefix("$"), error.reason
    return _fault_of_validator(error, path)


def _key_of(note: AttributeValidationNote | IterableValidationNote) -> Any:
    return note.index if isinstance(note, IterableValidationNote) else note.name.rstrip("_")


def _fault_of_validator(error: BaseException, path: str) -> tuple[str, str]:
    """Read what attrs' own validators raise: the message, then the attribute, then what it was checked against."""
    field = next((f".{arg.name}" for arg in error.args if isinstance(arg, attrs.Attribute)), "")
    text = str(error.args[0]) if field else str(error)
    return path + field, " ".join(text.split()) or type(error).__name__
