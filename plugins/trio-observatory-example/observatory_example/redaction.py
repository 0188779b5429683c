"""A policy that keeps what looks like an access token out of messages."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from observatory import Draft

_REDACTED = "[redacted]"

_LEAST = 12
"""Letters, digits, `-` and `_` that follow a prefix at least: fewer are a word, and no token."""


class Redaction:
    """Replaces what looks like an access token, in the content and in the metadata's values.

    Args:
        prefixes: what such tokens begin with, such as `sk-`; at least one.
    """

    def __init__(self, prefixes: Collection[str]) -> None:
        alternatives = "|".join(map(re.escape, prefixes))
        self._token = re.compile(rf"(?<![\w-])(?:{alternatives})[\w-]{{{_LEAST},}}", re.ASCII)

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft without such tokens."""
        return attrs.evolve(draft, content=self._clean(draft.content), metadata=self._clean(draft.metadata))

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._token.sub(_REDACTED, value)
        if isinstance(value, Mapping):
            return {key: self._clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        return value
