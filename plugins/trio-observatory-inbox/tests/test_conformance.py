"""The laws that hold for every delivery channel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import trio
from observatory_inbox import InboxChannel, InboxSettings, Outbox

from observatory import ChannelFactory, Context, DeliveryChannel, ServiceFactory
from observatory.testing import DeliveryChannelConformance, PluginConformance, ServiceConformance


class TestInboxChannel(DeliveryChannelConformance):
    """The inbox, on a root of its own for each law."""

    inbox: Path
    failing: set[str]

    @pytest.fixture
    def channel_factory(self, context: Context, failing_folders: set[str]) -> ChannelFactory:
        """Return what the plugin registers."""
        self.inbox = context.root / "inbox"
        self.failing = failing_folders
        return InboxChannel

    async def delivered(self, channel: DeliveryChannel, to: str) -> set[str]:
        """Return the ids of a recipient's files; a folder keeps no order."""
        await trio.lowlevel.checkpoint()
        return {path.stem for path in (self.inbox / to).glob("*")}

    def break_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let the disk fail to open the recipient's directory."""
        self.failing.add(to)

    def mend_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let the disk work again."""
        self.failing.remove(to)


class TestSyncedInboxChannel(TestInboxChannel):
    """The inbox at `fsynced`."""

    @pytest.fixture
    def channel_factory(self, context: Context, failing_folders: set[str]) -> ChannelFactory:
        """Return what the plugin registers, with that setting."""
        self.inbox = context.root / "inbox"
        self.failing = failing_folders
        return lambda context: InboxChannel(attrs.evolve(context, settings=InboxSettings(durability="fsynced")))


class TestOutbox(ServiceConformance):
    """The outbox."""

    @pytest.fixture
    def service_factory(self) -> ServiceFactory:
        """Return what the plugin registers."""
        return Outbox


class TestPlugin(PluginConformance):
    """The installed plugin."""

    configuration: ClassVar[Mapping[str, Any]] = {"max_file_bytes": 1024}

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the entry point."""
        return "inbox"
