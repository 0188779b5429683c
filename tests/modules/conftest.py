"""An Observatory for each test: its storage and its delivery channels are the test's own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from observatory import (
    Clock,
    Context,
    DeliveryChannel,
    DeliverySettings,
    MailboxSettings,
    NotesSettings,
    Observatory,
    Policy,
    Settings,
    StorageBackend,
    StorageSettings,
    TrioClock,
    open_observatory,
)
from observatory.testing import observatory_plugin

Open = Callable[..., AbstractAsyncContextManager[Observatory]]


def pick(channel: DeliveryChannel, _: Context) -> DeliveryChannel:
    """Return the delivery channel that the test has made, as a factory does."""
    return channel


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root; missing at first."""
    return tmp_path / "root"


@pytest.fixture
def open_here(root: Path) -> Open:
    """Return what opens an Observatory on the root: in memory only, unless the test says otherwise."""

    def open_here(
        *,
        storage: StorageBackend | None = None,
        channels: Mapping[str, DeliveryChannel] | None = None,
        policies: Mapping[str, Policy] | None = None,
        installed: Collection[str] = (),
        clock: Clock | None = None,
        recover: Collection[str] | None = None,
        mailbox: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        delivery: Mapping[str, Any] | None = None,
    ) -> AbstractAsyncContextManager[Observatory]:
        plugin = observatory_plugin(
            "test",
            storage={} if storage is None else {"test": lambda _: storage},
            channels={name: partial(pick, channel) for name, channel in (channels or {}).items()},
            policies=policies,
        )
        settings = Settings(
            root=root,
            mailbox=MailboxSettings(**(mailbox or {})),
            notes=NotesSettings(**(notes or {})),
            delivery=DeliverySettings(**(delivery or {})),
            storage=StorageSettings(backend="memory" if storage is None else "test"),
            disabled_plugins=tuple(
                found.name for found in entry_points(group="observatory") if found.name not in installed
            ),
        )
        return open_observatory(settings, plugins=[plugin], clock=clock or TrioClock(), recover=recover)

    return open_here
