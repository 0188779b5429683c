"""A broadcast that one request cannot carry, in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from observatory import InvalidInputError, from_wire
from observatory_websocket.bounds import copies

_MAX_RECIPIENTS = 10_000


def parts_of(names: Any, draft: Mapping[str, Any]) -> Sequence[Any]:
    """Return the recipients of each request; what is wrong with them all is found before the first one is sent.

    Args:
        names: what was given; if that is no list, the service says so.
        draft: what is sent.

    Raises:
        InvalidInputError: there are too many, one stands there twice, or is no string.
    """
    most = copies(draft["content"], draft["metadata"])
    if not isinstance(names, list) or len(names) <= most:
        return [names]
    if len(names) > _MAX_RECIPIENTS:
        raise InvalidInputError("names", f"has more than the {_MAX_RECIPIENTS:,} names that are allowed")
    [(name, count)] = Counter(from_wire(names, list[str], path="names")).most_common(1)
    if count > 1:
        raise InvalidInputError("names", f"{name!r:.80} stands there twice")
    return [names[start : start + most] for start in range(0, len(names), most)]
