"""An Observatory with the delivery channels of a test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest

from observatory import (
    ChannelFactory,
    DeliveryChannel,
    DeliverySettings,
    Observatory,
    StorageBackend,
    StorageSettings,
    SupervisionSettings,
    open_observatory,
)
from observatory.testing import observatory_plugin

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
