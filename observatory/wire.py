"""JSON shapes of values, through cattrs: one converter for messages, a strict one for settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time as time_of_day
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.cols import is_mapping, list_structure_factory, mapping_structure_factory
from cattrs.errors import (
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    StructureHandlerNotFoundError,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from observatory.errors import InvalidInputError, SettingsError, did_you_mean
from observatory.messages import Message

T = TypeVar("T")
Structure: TypeAlias = Callable[[Any, Any], Any]

_KINDS = {str: "a string", int: "an integer", bool: "true or false"}
_GOT: tuple[tuple[Any, str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "an integer"),
    (float, "a number"),
    (Mapping, "a table"),
    ((list, tuple, set, frozenset), "a list"),
    ((date, time_of_day), "a date or time"),
    (type(None), "null"),
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")


def kind_of(value: Any) -> str:
    """Say in words what kind of value it is, without showing it: it may be a secret."""
    words = (words for kinds, words in _GOT if isinstance(value, kinds))
    return next(words, f"a value of class {type(value).__name__}")


def to_path(value: Any) -> Path:
    """Make a path of a string or a path; a leading `~` stands for the home directory, as in a shell.

    Raises:
        TypeError: when it is neither.
        ValueError: when no file can have that path.
    """
    if not isinstance(value, str | Path):
        _refuse("a path", value)
    if not str(value) or "\0" in str(value):
        raise ValueError("expected a path, got a string that is empty or has a NUL character in it")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError(f"has a '~' that stands for no home directory: {error}") from error


def path_of(keys: Iterable[Any], start: str = "$") -> str:
    """Write the way down through tables and lists, such as `$.mailbox.max_messages` or `$.names[2]`."""
    for key in keys:
        start += f".{key}" if isinstance(key, str) and _BARE_KEY.fullmatch(key) else f"[{key!r}]"
    return start


def _refuse(expected: str, value: Any) -> NoReturn:
    raise TypeError(f"expected {expected}, got {kind_of(value)}")


def _strict(kind: type) -> Structure:
    """Make a structure hook that takes exactly `kind`, where cattrs would turn `"7"` into 7."""

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            _refuse(_KINDS[kind], value)
        return value

    return structure


def _structure_float(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse("a number", value)
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("expected a number, got an integer that is too large for one") from error


def _structure_time(value: Any, _: Any) -> datetime:
    if not isinstance(value, str | datetime):
        _refuse("a time in ISO 8601", value)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("expected a time with an offset, such as 2026-11-21T10:00:00+00:00")
    return moment.astimezone(UTC)


def _structure_path(value: Any, _: Any) -> Path:
    return to_path(value)


def _is_literal(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is Literal


def _literal(kind: Any) -> Structure:
    """Make a hook that takes one of a `Literal`'s values, and not `True` for 1."""
    allowed = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        if not any(type(value) is type(one) and value == one for one in allowed):
            names = ", ".join(map(repr, allowed))
            got = f"{value!r:.80}" if isinstance(value, str | int | float) else kind_of(value)
            raise ValueError(f"expected one of {names}, got {got}")
        return value

    return structure


def _is_collection(kind: Any) -> bool:
    return get_origin(kind) in (list, set, frozenset) or (get_origin(kind) is tuple and get_args(kind)[-1:] == (...,))


def _collection(kind: Any, converter: cattrs.Converter) -> Structure:
    """Make a hook that takes a list, where cattrs would take a string for a list of characters."""
    list_kind: Any = GenericAlias(list, get_args(kind)[:1])
    items = list_structure_factory(list_kind, converter)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple | set | frozenset):
            _refuse("a list", value)
        return get_origin(kind)(items(value, kind))

    return structure


def _only_tables(make: Callable[[Any, cattrs.Converter], Structure]) -> Callable[[Any, cattrs.Converter], Structure]:
    """Make a factory of hooks that take a table, where cattrs would stumble over anything else."""

    def factory(kind: Any, converter: cattrs.Converter) -> Structure:
        inner = make(kind, converter)

        def structure(value: Any, _: Any) -> Any:
            if not isinstance(value, Mapping):
                _refuse("a table", value)
            return inner(value, kind)

        return structure

    return factory


def _message(kind: Any, converter: cattrs.Converter) -> Structure:
    return make_dict_structure_fn(kind, converter, from_=override(rename="from"))


def _converter(*, forbid_extra_keys: bool) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=forbid_extra_keys)
    for kind in _KINDS:
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook(float, _structure_float)
    converter.register_structure_hook(datetime, _structure_time)
    converter.register_structure_hook(Path, _structure_path)
    converter.register_structure_hook_factory(_is_literal, _literal)
    converter.register_structure_hook_factory(_is_collection, _collection)
    converter.register_structure_hook_factory(is_mapping, _only_tables(mapping_structure_factory))
    converter.register_structure_hook_factory(attrs.has, _only_tables(make_dict_structure_fn))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_unstructure_hook(Path, str)
    return converter


@cache  # made when first needed: `import observatory` is to be quick
def _message_converter() -> cattrs.Converter:
    converter = _converter(forbid_extra_keys=False)
    converter.register_unstructure_hook(
        Message, make_dict_unstructure_fn(Message, converter, from_=override(rename="from"))
    )
    converter.register_structure_hook_factory(lambda kind: kind is Message, _only_tables(_message))
    return converter


@cache
def _settings_converter() -> cattrs.Converter:
    return _converter(forbid_extra_keys=True)


def to_wire(value: Any) -> Any:
    """Turn a value of `observatory.messages` into what JSON can hold; `from_` becomes `from`."""
    return _message_converter().unstructure(value)


def message_from_wire(data: Mapping[str, Any]) -> Message:
    """Read a message from its JSON object.

    Raises:
        InvalidInputError: when a field is missing or of a wrong kind; it names the path.
    """
    try:
        return _message_converter().structure(data, Message)
    except (ClassValidationError, TypeError) as error:
        path, reason = _first_fault(error, "$")
        raise InvalidInputError(path, reason) from error


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
    if isinstance(error, ClassValidationError):
        fields, others = error.group_exceptions()
        return _first_of([(inner, path_of([note.name.rstrip("_")], path)) for inner, note in fields], others, path)
    if isinstance(error, IterableValidationError):
        items, others = error.group_exceptions()
        return _first_of([(inner, path_of([note.index], path)) for inner, note in items], others, path)
    if isinstance(error, ForbiddenExtraKeysError):
        key = min(map(str, error.extra_fields))
        known = [field.alias for field in attrs.fields(error.cl)]
        elsewhere = getattr(error.cl, "_elsewhere", "")
        return path_of([key], path), f"unknown key; {did_you_mean(key, known)}{elsewhere}"
    if isinstance(error, KeyError):
        return path, "required, but missing"
    if isinstance(error, SettingsError):
        return path + error.path.removeprefix("$"), error.reason
    return _fault_of_validator(error, path)


def _first_of(placed: list[tuple[Exception, str]], others: list[Exception], path: str) -> tuple[str, str]:
    return _first_fault(*[*placed, *((inner, path) for inner in others)][0])


def _fault_of_validator(error: BaseException, path: str) -> tuple[str, str]:
    """Read what attrs' own validators raise: the message, then the attribute, then what it was checked against."""
    field = next((f".{arg.name}" for arg in error.args if isinstance(arg, attrs.Attribute)), "")
    text = str(error.args[0]) if field else str(error)
    return path + field, " ".join(text.split()) or type(error).__name__
