"""What can be set under `[plugins.sqlite]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from observatory import SettingsError


def _path(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Path | None):
        raise SettingsError(f"$.{attribute.name}", f"expected a path, got {type(value).__name__}")


@attrs.frozen(kw_only=True)
class SqliteSettings:
    """`[plugins.sqlite]`: where the database is."""

    path: Path | None = attrs.field(default=None, validator=_path)
    """The database's file; without it `observatory/observatory.db` below the root."""
