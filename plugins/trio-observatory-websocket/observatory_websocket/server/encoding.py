"""Values of the library as JSON."""

from __future__ import annotations

from typing import Any

import orjson

from observatory import to_wire


def to_json(value: Any) -> bytes:
    """Return a value as JSON.

    Raises:
        TypeError: JSON cannot hold it.
    """
    return orjson.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    plain = to_wire(value)
    if plain is value:
        raise TypeError  # orjson says of which class it is
    return plain
