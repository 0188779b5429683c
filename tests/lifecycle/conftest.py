"""An Observatory with a storage backend, a delivery channel and a module of a test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest

from observatory import DeliverySettings, MemoryStorage, Observatory, StorageSettings, open_observatory
from observatory.testing import observatory_plugin

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]


@pytest.fixture
def open_with(bare_settings: Any) -> Open:
    """Return what opens an Observatory with a storage backend, a delivery channel, a module."""

    def open_with(
        storage: MemoryStorage | None = None, channel: Any = None, module: Any = None
    ) -> AbstractAsyncContextManager[Observatory]:
        plugin = observatory_plugin(
            "test",
            storage={"test": lambda context: storage or MemoryStorage()},
            channels={"c": lambda context: channel} if channel else {},
            modules={"m": lambda context: module} if module else {},
        )
        delivery = DeliverySettings(required=())
        return open_observatory(
            bare_settings(storage=StorageSettings(backend="test"), delivery=delivery), plugins=[plugin]
        )

    return open_with
