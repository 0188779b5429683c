"""What Observatory loads through the entry point `inbox`."""

from __future__ import annotations

from observatory import ChannelFactory, CheckFactory, Registrar, ServiceFactory, hookimpl
from observatory_inbox.channel import InboxChannel
from observatory_inbox.checks.inbox import InboxCheck
from observatory_inbox.checks.outbox import OutboxCheck
from observatory_inbox.checks.teams import TeamsCheck
from observatory_inbox.outbox.service import Outbox
from observatory_inbox.settings import InboxSettings

settings_class = InboxSettings


@hookimpl
def observatory_register_channels(registrar: Registrar[ChannelFactory]) -> None:
    """Register the delivery channel `inbox`."""
    registrar.register("inbox", InboxChannel)


@hookimpl
def observatory_register_services(registrar: Registrar[ServiceFactory]) -> None:
    """Register the service `outbox`, unless it is turned off."""
    if registrar.settings.outbox:
        registrar.register("outbox", Outbox)


@hookimpl
def observatory_register_checks(registrar: Registrar[CheckFactory]) -> None:
    """Register a check for each folder that is in use."""
    registrar.register("inbox", InboxCheck)
    if registrar.settings.outbox:
        registrar.register("outbox", OutboxCheck)
    if registrar.settings.team_inboxes:
        registrar.register("teams", TeamsCheck)
