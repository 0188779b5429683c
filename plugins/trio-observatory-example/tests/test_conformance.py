"""Everything that the plugin registers keeps its laws."""

from __future__ import annotations

from typing import ClassVar

import pytest
from observatory_example import AgentNotes, BellChannel, Redaction

from observatory import ChannelFactory, Context, DeliveryChannel, Draft, Module, ModuleFactory, Policy
from observatory.testing import (
    DeliveryChannelConformance,
    ModuleConformance,
    PluginConformance,
    PolicyConformance,
)


class TestPlugin(PluginConformance):
    """The plugin as a whole."""

    configuration: ClassVar = {"bell": True, "redact": ["sk-"]}

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the entry point."""
        return "example"


class TestAgentNotes(ModuleConformance):
    """The module."""

    @pytest.fixture
    def module_factory(self) -> ModuleFactory:
        """Return what is registered."""
        return AgentNotes

    async def use(self, module: Module) -> None:
        """Write a note."""
        assert isinstance(module, AgentNotes)
        await module.annotate("agent-42", "knows the wire format")

    def contents(self, module: Module) -> object:
        """Read the notes."""
        assert isinstance(module, AgentNotes)
        return module.notes_for("agent-42")


class TestBellChannel(DeliveryChannelConformance):
    """The delivery channel."""

    @pytest.fixture(autouse=True)
    def _know_folder(self, context: Context) -> None:
        self._folder = context.root / "bell"

    @pytest.fixture
    def channel_factory(self) -> ChannelFactory:
        """Return what is registered."""
        return BellChannel

    async def delivered(self, channel: DeliveryChannel, to: str) -> set[str]:
        """List the files; a directory keeps no order."""
        return {path.name for path in (self._folder / to).glob("*")}

    def break_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Put a file where the recipient's directory belongs."""
        self._folder.mkdir(exist_ok=True)
        (self._folder / to).touch()

    def mend_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Remove the file."""
        (self._folder / to).unlink()


class TestRedact(PolicyConformance):
    """The policy."""

    drafts = (
        Draft("a", "b", "use sk-abcdefghijklmnopqrstuvwx and AKIAABCDEFGHIJKLMNOP"),
        Draft("a", "b", "", metadata={"env": [{"TOKEN": "ghp_" + "a1" * 18}]}),
    )

    @pytest.fixture
    def policy(self) -> Policy:
        """Return what is registered."""
        return Redaction(["sk-", "ghp_", "AKIA"])
