"""What can be set under `[plugins.inbox]`."""

from __future__ import annotations

from typing import Any

import attrs

from observatory import SettingsError


def _positive(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingsError(f"$.{attribute.name}", f"expected an integer of at least 1, got {value!r}")


@attrs.frozen(kw_only=True)
class InboxSettings:
    """`[plugins.inbox]`: bounds of what is read back."""

    max_file_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=_positive)
    """Bytes of the largest file that recovery reads; a larger one stays where it is."""
