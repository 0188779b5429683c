"""What can be set under `[plugins.inbox]`."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from observatory import SettingsError


def _positive(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingsError(f"$.{attribute.name}", f"expected an integer of at least 1, got {value!r}")


def _switch(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise SettingsError(f"$.{attribute.name}", f"expected true or false, got {value!r}")


def _level(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value not in ("flushed", "fsynced"):
        raise SettingsError(f"$.{attribute.name}", f"expected 'flushed' or 'fsynced', got {value!r}")


@attrs.frozen(kw_only=True)
class InboxSettings:
    """`[plugins.inbox]`: bounds, and what is written beside the files."""

    durability: Literal["flushed", "fsynced"] = attrs.field(default="flushed", validator=_level)
    """What a message survives once its receipt says `written`: the end of the process, or a power cut, too."""
    max_file_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=_positive)
    """Bytes of the largest file that is read; a larger one stays where it is, or is put aside in the outbox."""
    team_inboxes: bool = attrs.field(default=True, validator=_switch)
    """Whether a message for `agent@team` is appended to the member's inbox in Claude Code's team, too."""
    team_max_entries: int = attrs.field(default=1_000, validator=_positive)
    """Entries of the largest team inbox that is appended to."""
    team_max_bytes: int = attrs.field(default=1_000_000, validator=_positive)
    """Its bytes."""
    orphan_age: int = attrs.field(default=7 * 24 * 3600, validator=_positive)
    """Seconds after which the doctor asks whether what nobody reads still has a reader."""
    watch: bool = attrs.field(default=True, validator=_switch)
    """Whether files that other processes write and remove are followed while this one runs."""
    outbox: bool = attrs.field(default=True, validator=_switch)
    """Whether responses in the outbox are read, published and removed."""
