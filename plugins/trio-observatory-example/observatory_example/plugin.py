"""What Observatory loads through the entry point `example`."""

from __future__ import annotations

from observatory import ChannelFactory, ModuleFactory, Policy, Registrar, hookimpl
from observatory_example.bell import BellChannel
from observatory_example.notes import AgentNotes
from observatory_example.redaction import Redaction
from observatory_example.settings import ExampleSettings

settings_class = ExampleSettings


@hookimpl
def observatory_register_channels(registrar: Registrar[ChannelFactory]) -> None:
    """Register the delivery channel `bell`, where it is wanted."""
    if registrar.settings.bell:
        registrar.register("bell", BellChannel)


@hookimpl
def observatory_register_modules(registrar: Registrar[ModuleFactory]) -> None:
    """Register the ephemeral module `AgentNotes`."""
    registrar.register("AgentNotes", AgentNotes)


@hookimpl
def observatory_register_policies(registrar: Registrar[Policy]) -> None:
    """Register the policy `redact`, where it has something to look for."""
    if registrar.settings.redact:
        registrar.register("redact", Redaction(registrar.settings.redact))
