"""What ships with the core, registered through the same hooks as everybody's."""

from __future__ import annotations

from observatory.abc import ChannelFactory, StorageFactory
from observatory.channels.log import LogChannel
from observatory.checks import CheckFactory
from observatory.health_checks import HEALTH_CHECKS
from observatory.hookspecs import hookimpl
from observatory.registrar import Registrar
from observatory.storage.memory import MemoryStorage


class InTheBox:
    """The plugin `observatory`."""

    @hookimpl
    def observatory_register_storage(self, registrar: Registrar[StorageFactory]) -> None:
        """Register `memory`."""
        registrar.register("memory", lambda context: MemoryStorage())

    @hookimpl
    def observatory_register_channels(self, registrar: Registrar[ChannelFactory]) -> None:
        """Register `log`."""
        registrar.register("log", lambda context: LogChannel())

    @hookimpl
    def observatory_register_checks(self, registrar: Registrar[CheckFactory]) -> None:
        """Register the checks of what is open."""
        for name, factory in HEALTH_CHECKS.items():
            registrar.register(name, factory)
