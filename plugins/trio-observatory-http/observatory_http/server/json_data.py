"""JSON as it comes in: strict, shallow, and with nothing in it that is only near to what was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

import orjson

from observatory import InvalidInputError

_MAX_DEPTH = 100
"""How deep objects and lists may stand in each other."""

_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # the fewest digits of an integer beyond 64 bits
_HALF = re.compile(r"[\ud800-\udfff]")  # half of a character, as a text that was cut off in JavaScript ends with


def read_json(data: bytes) -> Any:
    """Read JSON.

    Half characters, which only JSON can write and nothing else can hold, become U+FFFD.

    Raises:
        InvalidInputError: it is none, nests too deep, or has an integer beyond 64 bits.
    """
    try:
        value, odd = orjson.loads(data), False
    except orjson.JSONDecodeError as error:
        if b"\\ud" not in data.lower():
            raise InvalidInputError("$", f"this is not JSON: column {error.colno}: {error.msg}") from error
        value, odd = _read_slowly(data), True
    if not odd and _LONG in data.translate(_ALIKE):
        value = _read_slowly(data)
    if odd or data.count(b"[") + data.count(b"{") > _MAX_DEPTH:
        return replaced(value, _whole)
    return value


def replaced(value: Any, replace: Callable[[str], str]) -> Any:
    """Return a value of JSON with other strings; keys are strings, too.

    Raises:
        InvalidInputError: it nests too deep.
    """
    return _replaced(value, replace, 0)


def _replaced(value: Any, replace: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, str):
        return replace(value)
    if not isinstance(value, dict | list):
        return value
    if depth >= _MAX_DEPTH:
        raise InvalidInputError("$", f"nests too deep: at most {_MAX_DEPTH} objects and lists may stand in each other")
    if isinstance(value, list):
        return [_replaced(one, replace, depth + 1) for one in value]
    return {replace(key): _replaced(one, replace, depth + 1) for key, one in value.items()}


def _whole(text: str) -> str:
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def _read_slowly(data: bytes) -> Any:
    """Read what orjson does not read as it is: half characters, and integers beyond 64 bits, which are refused."""
    try:
        return json.loads(data.decode(), parse_int=_integer, parse_constant=_constant)
    except RecursionError as error:
        raise InvalidInputError("$", "nests too deep") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError("$", f"this is not UTF-8: byte {error.start:,}") from error
    except json.JSONDecodeError as error:
        raise InvalidInputError("$", f"this is not JSON: column {error.colno}: {error.msg}") from error


def _integer(text: str) -> int:
    number = int(text) if len(text) <= 20 else None
    if number is None or not -(2**63) <= number < 2**64:
        raise InvalidInputError("$", f"{text:.40} is an integer beyond 64 bits; write it as a string")
    return number


def _constant(text: str) -> NoReturn:
    raise InvalidInputError("$", f"this is not JSON: {text} is no number of it")
