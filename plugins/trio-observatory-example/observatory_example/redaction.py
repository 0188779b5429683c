"""A policy that keeps what looks like an access token out of messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from observatory import Draft

_REDACTED = "[redacted]"

_TOKEN = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        sk-[A-Za-z0-9_-]{20,}            # keys of model vendors
        | gh[opsu]_[A-Za-z0-9]{36,}      # of code hosts
        | xox[abps]-[A-Za-z0-9-]{10,}    # of chats
        | AKIA[A-Z0-9]{16}               # of clouds
    )""",
    re.VERBOSE,
)


def redact(draft: Draft) -> Draft:
    """Replace what looks like an access token, in the content and in the metadata's values."""
    return attrs.evolve(draft, content=_clean(draft.content), metadata=_clean(draft.metadata))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _TOKEN.sub(_REDACTED, value)
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
