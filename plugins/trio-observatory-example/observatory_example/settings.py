"""What can be set under `[plugins.example]`."""

from __future__ import annotations

from typing import Any

import attrs

from observatory import SettingsError


def _prefixes(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    for prefix in value:
        if len(prefix) < 2:  # nearly every word begins with one
            raise SettingsError(f"$.{attribute.name}", f"expected prefixes of at least 2 characters, got {prefix!r}")


@attrs.frozen(kw_only=True)
class ExampleSettings:
    """`[plugins.example]`: with the defaults nothing is written and no message is changed that nobody asked for."""

    bell: bool = False
    """Whether the delivery channel `bell` is there."""
    redact: tuple[str, ...] = attrs.field(default=(), validator=_prefixes)
    """What access tokens begin with, such as `sk-`: the policy `redact` replaces them. None, and there is no policy."""
