"""An Observatory with the delivery channels of a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from observatory import (
    ChannelFactory,
    DeliveryChannel,
    DeliverySettings,
    Observatory,
    Settings,
    SupervisionSettings,
    open_observatory,
)
from observatory.testing import observatory_plugin

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Observatory]]


def _factory(channel: DeliveryChannel) -> ChannelFactory:
    return lambda context: channel


@pytest.fixture
def open_with(tmp_path: Path) -> Open:
    """Return what opens an Observatory with delivery channels by name; `required` and more are `[delivery]`."""

    def open_with(
        channels: Mapping[str, DeliveryChannel], *, required: tuple[str, ...] = (), drain: float = 10.0, **more: Any
    ) -> AbstractAsyncContextManager[Observatory]:
        settings = Settings(
            root=tmp_path,
            delivery=DeliverySettings(required=required, disabled=("inbox", "log"), **more),
            supervision=SupervisionSettings(drain=drain),
        )
        factories = {name: _factory(channel) for name, channel in channels.items()}
        return open_observatory(settings, plugins=[observatory_plugin("test-channels", channels=factories)])

    return open_with
