"""Reaching the service that runs on a root, through whichever door somebody has a connector for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

import trio

from observatory.arguments import given
from observatory.client import Client
from observatory.in_the_box import InTheBox
from observatory.plugins import Plugins
from observatory.service_file import read_service
from observatory.settings import Settings


async def find_client(
    settings: Settings | None = None, *, identity: str | None = None, plugins: Iterable[object] = ()
) -> AbstractAsyncContextManager[Client] | None:
    """Find out whether a service runs on the root, and return what opens a client for it.

    Args:
        settings: by default `Settings()`.
        identity: an agent's name: open it as that agent.
        plugins: plugin objects beside the installed ones.

    Returns:
        None when no service runs there, or none with a door that an installed plugin goes through.

    Raises:
        InvalidInputError: an argument is not allowed.
        SettingsError: the settings name what there is not.
        PluginError: a plugin cannot be used.
    """
    settings = given("settings", Settings, settings)
    service = await trio.to_thread.run_sync(read_service, settings.root)
    if service is None:
        return None
    connectors = Plugins(settings, built_in=InTheBox(), extra=plugins).connectors()
    for door in service.doors:
        if door in connectors:
            opening: AbstractAsyncContextManager[Client] = connectors[door].item(settings.root, identity)
            return opening
    return None
