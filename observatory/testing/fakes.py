"""Delivery channels and a storage backend that do what a test wants, and plugins made on the spot."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import trio

from observatory import (
    ChannelFactory,
    CheckFactory,
    CommandFactory,
    Connector,
    DeliveryChannel,
    Done,
    Dropped,
    Durability,
    Entry,
    Failed,
    Job,
    MemoryStorage,
    Message,
    ModuleFactory,
    Outcome,
    Policy,
    Post,
    Registrar,
    Retraction,
    RouteFactory,
    ServiceFactory,
    SkillSourceFactory,
    StorageError,
    StorageFactory,
    hookimpl,
)


class RecordingChannel(DeliveryChannel):
    """Keeps in memory what it is given.

    Attributes:
        batches: every batch it was given, the ones that failed too.
        delivered: the messages that are there: posted and not retracted, in the order of arrival.
    """

    def __init__(self) -> None:
        self.batches: list[tuple[Job, ...]] = []
        self.delivered: list[Message] = []

    @property
    def jobs(self) -> list[Job]:
        """Every job it was given, in order."""
        return [job for batch in self.batches for job in batch]

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Keep the batch, and carry it out."""
        await trio.lowlevel.checkpoint()
        self.batches.append(tuple(batch))
        return [self._carry_out(job) for job in batch]

    def ids(self, to: str) -> list[str]:
        """Return the ids of the messages that are there for a recipient."""
        return [message.id for message in self.delivered if message.to == to]

    def _carry_out(self, job: Job) -> Outcome:
        if isinstance(job, Dropped):
            return Done("sent")
        to, id = _address_of(job)
        if not isinstance(job, Post):
            self.delivered = [message for message in self.delivered if (message.to, message.id) != (to, id)]
        elif id not in self.ids(to):
            self.delivered.append(job.message)
        return Done("written", "memory")


class StuckChannel(DeliveryChannel):
    """Takes a batch and never comes back, until it is cancelled.

    Attributes:
        calls: how often it was given a batch.
    """

    def __init__(self) -> None:
        self.calls = 0

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Wait for ever."""
        self.calls += 1
        await trio.sleep_forever()


class FailingChannel(RecordingChannel):
    """Fails for each recipient so many times, and then does what `RecordingChannel` does.

    Args:
        times: attempts that fail for each recipient; `math.inf` for ever.
        permanent: whether trying again is said to be of no use.
        raises: what `deliver` raises, for the whole batch, instead of giving outcomes.

    Attributes:
        left: by recipient, how many attempts will still fail; to be changed at will.
    """

    def __init__(self, times: float = math.inf, *, permanent: bool = False, raises: Exception | None = None) -> None:
        super().__init__()
        self.left: dict[str, float] = defaultdict(lambda: times)
        self._failure = Failed("planned by the test", permanent=permanent)
        self._raises = raises

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Fail for those whose time has not come, and carry out the rest."""
        await trio.lowlevel.checkpoint()
        recipients = {_address_of(job)[0] for job in batch if not isinstance(job, Dropped)}
        failing = {to for to in recipients if self.left[to] > 0}
        for to in failing:
            self.left[to] -= 1
        self.batches.append(tuple(batch))
        if failing and self._raises is not None:
            raise self._raises
        return [
            self._failure if not isinstance(job, Dropped) and _address_of(job)[0] in failing else self._carry_out(job)
            for job in batch
        ]


class DurableStorage(MemoryStorage):
    """A storage backend in memory that says that it outlives Observatory: it does for as long as a test keeps it."""

    durability: ClassVar[Durability] = "fsynced"


class FailingStorage(MemoryStorage):
    """A storage backend in memory that commits nothing while it is told to fail.

    Attributes:
        failing: whether `append` raises `StorageError`.
        failures: how often it did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failing = False
        self.failures = 0

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Commit a batch, or fail.

        Raises:
            StorageError: while `failing`.
        """
        if self.failing:
            self.failures += 1
            await trio.lowlevel.checkpoint()
            raise StorageError("planned by the test")
        return await super().append(batch)


def _address_of(job: Post | Retraction) -> tuple[str, str]:
    """Return the recipient and the message's id."""
    return (job.message.to, job.message.id) if isinstance(job, Post) else (job.to, job.id)


def observatory_plugin(
    name: str,
    *,
    settings_class: type | None = None,
    storage: Mapping[str, StorageFactory] | None = None,
    channels: Mapping[str, ChannelFactory] | None = None,
    modules: Mapping[str, ModuleFactory] | None = None,
    skill_sources: Mapping[str, SkillSourceFactory] | None = None,
    routes: Mapping[str, RouteFactory] | None = None,
    services: Mapping[str, ServiceFactory] | None = None,
    policies: Mapping[str, Policy] | None = None,
    checks: Mapping[str, CheckFactory] | None = None,
    commands: Mapping[str, CommandFactory] | None = None,
    connectors: Mapping[str, Connector] | None = None,
) -> object:
    """Make a plugin for `open_observatory(..., plugins=[...])` that registers what is given, by name.

    Args:
        name: the plugin's name, as in `[plugins.NAME]`.
        settings_class: an attrs class that is filled from `[plugins.NAME]`.
        storage: storage backends.
        channels: delivery channels.
        modules: ephemeral modules.
        skill_sources: sources of skills.
        routes: ASGI applications.
        services: services.
        policies: policies.
        checks: checks.
        commands: groups of the command line.
        connectors: connectors.
    """
    kinds = {
        "storage": storage,
        "channels": channels,
        "modules": modules,
        "skill_sources": skill_sources,
        "routes": routes,
        "services": services,
        "policies": policies,
        "checks": checks,
        "commands": commands,
        "connectors": connectors,
    }
    return _Plugin(name, settings_class, {kind: items or {} for kind, items in kinds.items()})


class _Plugin:
    """Has a hook for each kind of what may be registered."""

    def __init__(
        self, name: str, settings_class: type | None, kinds: Mapping[str, Mapping[str, Callable[..., Any]]]
    ) -> None:
        self.name = name
        self.settings_class = settings_class
        for kind, items in kinds.items():
            setattr(self, f"observatory_register_{kind}", hookimpl(_registering(items)))


def _registering(items: Mapping[str, Callable[..., Any]]) -> Callable[[Registrar[Any]], None]:
    def register(registrar: Registrar[Any]) -> None:
        for name, item in items.items():
            registrar.register(name, item)

    return register
