"""An Observatory with the delivery channels of a test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest
import trio

from observatory import (
    ChannelFactory,
    DeadLetter,
    DeliveryChannel,
    DeliveryRecord,
    DeliverySettings,
    Entry,
    Forgotten,
    Observatory,
    Settled,
    StorageBackend,
    StorageError,
    StorageSettings,
    SupervisionSettings,
    open_observatory,
)
from observatory.testing import DurableStorage, observatory_plugin

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]


def _factory(channel: DeliveryChannel) -> ChannelFactory:
    return lambda context: channel


@pytest.fixture
def open_with(bare_settings: Any) -> Open:
    """Return what opens an Observatory with delivery channels by name; `required` and more are `[delivery]`."""

    def open_with(
        channels: Mapping[str, DeliveryChannel],
        *,
        required: tuple[str, ...] = (),
        drain: float = 10.0,
        storage: StorageBackend | None = None,
        recover: Collection[str] | None = None,
        **more: Any,
    ) -> AbstractAsyncContextManager[Observatory]:
        settings = bare_settings(
            delivery=DeliverySettings(required=required, **more),
            supervision=SupervisionSettings(drain=drain),
            storage=StorageSettings(backend="test" if storage else "memory"),
        )
        factories = {name: _factory(channel) for name, channel in channels.items()}
        backends = {"test": lambda context: storage} if storage else {}
        plugin = observatory_plugin("test-channels", channels=factories, storage=backends)
        return open_observatory(settings, plugins=[plugin], recover=recover)

    return open_with


class TalkativeStorage(DurableStorage):
    """Keeps what it was told.

    Attributes:
        log: every entry.
        deaf: whether it fails to be told of deliveries.
        seconds: how long it takes to be told of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Entry] = []
        self.deaf = False
        self.seconds = 0.0

    async def append(self, batch: Sequence[Entry]) -> Sequence[int]:
        """Keep the batch, slowly, or fail."""
        if isinstance(batch[0], DeliveryRecord | DeadLetter | Settled | Forgotten):
            await trio.sleep(self.seconds)
            if self.deaf:
                raise StorageError("planned by the test")
        numbers = await super().append(batch)
        self.log.extend(batch)
        return numbers

    def told(self, kind: type[Any]) -> list[Any]:
        """Return the entries of one kind."""
        return [entry for entry in self.log if isinstance(entry, kind)]


@pytest.fixture
def durable_storage() -> TalkativeStorage:
    """Return a storage backend that outlives the Observatory, and keeps what it was told."""
    return TalkativeStorage()
