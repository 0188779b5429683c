"""The laws that hold for every delivery channel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trio
from observatory_inbox import InboxChannel

from observatory import ChannelFactory, Context, DeliveryChannel
from observatory.testing import DeliveryChannelConformance, PluginConformance


class TestInboxChannel(DeliveryChannelConformance):
    """The inbox, on a root of its own for each law."""

    inbox: Path

    @pytest.fixture
    def channel_factory(self, context: Context) -> ChannelFactory:
        """Return what the plugin registers."""
        self.inbox = context.root / "inbox"
        return InboxChannel

    async def delivered(self, channel: DeliveryChannel, to: str) -> set[str]:
        """Return the ids of a recipient's files; a folder keeps no order."""
        await trio.lowlevel.checkpoint()
        return {path.stem for path in (self.inbox / to).glob("*")}

    def break_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Put a file in the place of the recipient's directory."""
        self.inbox.mkdir(exist_ok=True)
        (self.inbox / to).touch()

    def mend_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Move the file away."""
        (self.inbox / to).unlink()


class TestPlugin(PluginConformance):
    """The installed plugin."""

    configuration: ClassVar[Mapping[str, Any]] = {"max_file_bytes": 1024}

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the entry point."""
        return "inbox"
