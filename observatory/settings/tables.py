"""What can be set: frozen values, a class for each table of `observatory.toml`, checked strictly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import attrs

from observatory.errors import SettingsError
from observatory.validators import (
    are_commands,
    are_strings,
    are_tables,
    count,
    count_between,
    frozen,
    is_part,
    is_string,
    is_switch,
    number_above,
    number_between,
    number_from,
    one_of,
    strings_like,
    to_absolute,
)

MIB = 1024 * 1024


def _to_root(value: Any) -> Path:
    return to_absolute("root", value)


def _to_certificate(value: Any) -> Path:
    return to_absolute("certificate", value)


def _to_key(value: Any) -> Path:
    return to_absolute("key", value)


@attrs.frozen(kw_only=True)
class MailboxSettings:
    """`[mailbox]`: bounds of the table."""

    max_messages: int = attrs.field(default=10_000, validator=count(1))
    """Messages one mailbox holds; then the oldest read ones go, and a mailbox of unread ones refuses."""
    max_bytes: int = attrs.field(default=64 * MIB, validator=count(1))
    """Bytes one mailbox holds: content, metadata, and 560 for each message beside them."""
    max_total_bytes: int = attrs.field(default=1024 * MIB, validator=count(1))
    """Bytes all mailboxes hold together, counted in the same way."""
    max_mailboxes: int = attrs.field(default=100_000, validator=count(1))
    """Mailboxes that are not empty."""
    cleanup_interval: float = attrs.field(default=60.0, validator=number_above(0))
    """Seconds between two cleanups."""
    cleanup_age: float = attrs.field(default=24 * 3600.0, validator=number_from(0))
    """Seconds after which a read message is removed; an unread one never is."""
    max_requests: int = attrs.field(default=1_000, validator=count(1))
    """Requests that wait for the Mailbox's task before senders are held back."""
    unknown_recipients: Literal["accept", "refuse"] = attrs.field(
        default="accept", validator=one_of("accept", "refuse")
    )
    """What becomes of a message for somebody of whom nobody has heard: it waits for them, or it is refused."""


@attrs.frozen(kw_only=True)
class NotesSettings:
    """`[notes]`: bounds of the notes."""

    max_notes: int = attrs.field(default=1_000, validator=count(1))
    """Notes held; then the oldest goes."""
    max_bytes: int = attrs.field(default=64 * 1024, validator=count(1))
    """Bytes of one note's text in UTF-8."""


@attrs.frozen(kw_only=True)
class PubSubSettings:
    """`[pubsub]`: bounds of replay and of subscriptions."""

    replay_events: int = attrs.field(default=1_000, validator=count(0))
    """Events a topic keeps for subscribers that come back."""
    replay_seconds: float = attrs.field(default=300.0, validator=number_from(0))
    """Seconds for which an event is replayed."""
    replay_bytes: int = attrs.field(default=64 * MIB, validator=count(1))
    """Bytes all topics keep together; a single topic keeps at most an eighth of it."""
    subscription_capacity: int = attrs.field(default=1_000, validator=count(1))
    """Events a subscription may fall behind, unless it says otherwise."""


@attrs.frozen(kw_only=True)
class DeliverySettings:
    """`[delivery]`: lanes and their retry schedule."""

    required: tuple[str, ...] | None = attrs.field(
        default=None, converter=frozen, validator=attrs.validators.optional(are_strings)
    )
    """Delivery channels a send waits for; without it `inbox`, if that is installed and not disabled."""
    disabled: tuple[str, ...] = attrs.field(default=("log",), converter=frozen, validator=are_strings)
    """Delivery channels that are left out although a plugin registers them."""
    lane_capacity: int = attrs.field(default=10_000, validator=count(1))
    """Posts one lane holds; what backs off for one recipient holds at most a tenth of it."""
    batch_size: int = attrs.field(default=256, validator=count(1))
    """Jobs a delivery channel is given at a time."""
    retry_first: float = attrs.field(default=0.1, validator=number_above(0))
    """Seconds before the second attempt; doubled for each further one, with jitter."""
    retry_longest: float = attrs.field(default=5.0, validator=number_above(0))
    """Seconds between two attempts at the most."""
    retry_attempts: int = attrs.field(default=10, validator=count(1))
    """Attempts before a delivery is a dead letter."""
    retry_total: float = attrs.field(default=45.0, validator=number_above(0))
    """Seconds after the first failure at which a delivery is a dead letter at the latest."""
    dead_letters: int = attrs.field(default=10_000, validator=count(1))
    """Dead letters that are kept; then the oldest goes."""
    ledger: int = attrs.field(default=100_000, validator=count(2))
    """Messages whose deliveries are remembered, for each delivery channel; half of them at the least."""


@attrs.frozen(kw_only=True)
class StorageSettings:
    """`[storage]`: which backend keeps the log behind the table."""

    backend: str = attrs.field(default="memory", validator=is_string)
    """Name of a registered storage backend."""

    _elsewhere: ClassVar[str] = "; a storage backend's own settings stand in [plugins.NAME]"  # said of an unknown key


@attrs.frozen(kw_only=True)
class SupervisionSettings:
    """`[supervision]`: restarts and shutdown."""

    max_failures: int = attrs.field(default=5, validator=count(0))
    """Failures within the window that a child is restarted after; one more and it has failed for good."""
    window: float = attrs.field(default=30.0, validator=number_above(0))
    """Seconds over which failures are counted."""
    drain: float = attrs.field(default=10.0, validator=number_from(0))
    """Seconds lanes are given to finish at a clean shutdown."""
    flush: float = attrs.field(default=1.0, validator=number_from(0))
    """Seconds that flushing takes at most when Observatory is cancelled, and closing the parts, each, in any case."""


@attrs.frozen(kw_only=True)
class SwarmSettings:
    """`[swarm]`: the tasks of a swarm."""

    follow: bool = attrs.field(default=True, validator=is_switch)
    """Whether what happens to tasks is followed, where services run; else somebody has to ask how they stand."""
    projects: tuple[str, ...] = attrs.field(default=(), converter=frozen, validator=are_strings)
    """Folders with a `tasks.jsonl`, besides those in which teams work."""
    active_project: str | None = attrs.field(default=None, validator=attrs.validators.optional(is_string))
    """The one that actions are about which name none."""
    checks: Mapping[str, tuple[str, ...]] = attrs.field(default=MappingProxyType({}), validator=are_commands)
    """Programs that look for what is wrong, each with its arguments, by the name of the check."""
    stale_after: float = attrs.field(default=600.0, validator=number_between(0, 1e9))
    """Seconds that a task may be in progress without an update."""


@attrs.frozen(kw_only=True)
class TracesSettings:
    """`[traces]`: what is kept of the way of messages."""

    max_traces: int = attrs.field(default=200, validator=count_between(0, 1_000))
    """Messages whose way is kept, the latest ones; with 0 none is noted."""
    max_hops: int = attrs.field(default=100, validator=count_between(10, 1_000))
    """Hops that are kept of each, the latest ones."""


@attrs.frozen(kw_only=True)
class PresenceSettings:
    """`[presence]`: who is there, and who holds what."""

    idle_after: float = attrs.field(default=120.0, validator=number_between(1, 1e9))
    """Seconds after which an agent of whom nothing is heard is idle."""
    gone_after: float = attrs.field(default=1_800.0, validator=number_between(1, 1e9))
    """Seconds after which it is gone; at least `idle_after`."""
    max_agents: int = attrs.field(default=10_000, validator=count(1))
    """Agents that are known; then those are forgotten that were not heard of for longest."""
    lease_seconds: float = attrs.field(default=30.0, validator=number_between(1, 1e6))
    """Seconds that a lease lasts unless it is renewed."""
    max_leases: int = attrs.field(default=10_000, validator=count(1))
    """Leases that there may be ..."""
    max_leases_each: int = attrs.field(default=100, validator=count(1))
    """... and those that one agent may hold."""

    @gone_after.validator
    def _not_before_idle(self, attribute: attrs.Attribute[Any], seconds: float) -> None:
        if seconds < self.idle_after:
            raise SettingsError("$.gone_after", f"expected at least idle_after, {self.idle_after:g}, got {seconds:g}")


_PLACE = r"[A-Za-z0-9._:\[\]-]"
_HOST = strings_like(rf"{_PLACE}+", "a value of the Host header such as 'observatory.example:443'")
_ORIGIN = strings_like(rf"null|[a-z][a-z0-9+.-]*://{_PLACE}*", "an origin such as 'http://127.0.0.1:5173'")


@attrs.frozen(kw_only=True)
class SecuritySettings:
    """`[security]`: who may come in by the doors of a service."""

    hosts: tuple[str, ...] = attrs.field(default=(), converter=frozen, validator=_HOST)
    """Values of the Host header that are allowed beside the loopback names with the door's port."""
    origins: tuple[str, ...] = attrs.field(default=(), converter=frozen, validator=_ORIGIN)
    """Origins that may connect, exactly as a browser sends them; programs send none."""
    certificate: Path | None = attrs.field(default=None, converter=attrs.converters.optional(_to_certificate))
    """A PEM file with the certificate for TLS, and those between it and its authority; together with `key` only."""
    key: Path | None = attrs.field(default=None, converter=attrs.converters.optional(_to_key))
    """A PEM file with the certificate's private key, not encrypted."""
    requests_per_second: float = attrs.field(default=1_000.0, validator=number_between(0.001, 1_000_000))
    """Requests of one identity in a second, in the long run."""
    burst: int = attrs.field(default=2_000, validator=count_between(1, 1_000_000))
    """Requests of one identity at once, after it was idle."""

    @key.validator
    def _goes_with_certificate(self, attribute: attrs.Attribute[Any], key: Path | None) -> None:
        if (key is None) is not (self.certificate is None):
            given, missing = ("certificate", "key") if key is None else ("key", "certificate")
            raise SettingsError(f"$.{given}", f"set without {missing}: TLS needs both")


def default_root() -> Path:
    """Return `$CLAUDE_CONFIG_DIR`, or else `~/.claude`.

    Raises:
        SettingsError: when there is no home directory.
    """
    return _to_root(os.environ.get("CLAUDE_CONFIG_DIR") or "~/.claude")


@attrs.frozen(kw_only=True)
class Settings:
    """Everything that can be set; each part is a table of `observatory.toml`."""

    root: Path = attrs.field(factory=default_root, converter=_to_root)
    """Where inboxes and everything else on disk lives; a relative path counts from where the settings are made."""
    mailbox: MailboxSettings = attrs.field(default=MailboxSettings(), validator=is_part)
    """Bounds of the table."""
    notes: NotesSettings = attrs.field(default=NotesSettings(), validator=is_part)
    """Bounds of the notes."""
    pubsub: PubSubSettings = attrs.field(default=PubSubSettings(), validator=is_part)
    """Bounds of replay and of subscriptions."""
    delivery: DeliverySettings = attrs.field(default=DeliverySettings(), validator=is_part)
    """Lanes and their retry schedule."""
    storage: StorageSettings = attrs.field(default=StorageSettings(), validator=is_part)
    """Which storage backend."""
    supervision: SupervisionSettings = attrs.field(default=SupervisionSettings(), validator=is_part)
    """Restarts and shutdown."""
    swarm: SwarmSettings = attrs.field(default=SwarmSettings(), validator=is_part)
    """The tasks of a swarm."""
    traces: TracesSettings = attrs.field(default=TracesSettings(), validator=is_part)
    """What is kept of the way of messages."""
    presence: PresenceSettings = attrs.field(default=PresenceSettings(), validator=is_part)
    """Who is there, and who holds what."""
    security: SecuritySettings = attrs.field(default=SecuritySettings(), validator=is_part)
    """Who may come in by the doors of a service."""
    disabled_plugins: tuple[str, ...] = attrs.field(default=(), converter=frozen, validator=are_strings)
    """Installed plugins that are not loaded."""
    plugins: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, validator=are_tables)
    """`[plugins.NAME]`: what each plugin reads into its own settings class. Naming a plugin here makes it needed."""
