"""Parts of plugins without an Observatory that is open: for commands, and where none can be opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from observatory.abc import Context, Service
from observatory.arguments import given
from observatory.clock import Clock
from observatory.errors import UnknownNameError
from observatory.in_the_box import InTheBox
from observatory.plugins import Plugins
from observatory.pubsub import PubSub
from observatory.security import Security
from observatory.settings import Settings
from observatory.skills import SkillSource


def bare_context(settings: Settings, clock: Clock, plugin_settings: Any) -> Context:
    """Return what a part is handed where no Observatory is open: no modules, and no services."""
    return Context(
        root=settings.root,
        clock=clock,
        pubsub=PubSub(settings.pubsub),
        settings=plugin_settings,
        modules={},
        services={},
        bounds=settings.mailbox,
        security=Security(settings.security),
    )


def make_service(
    name: str, settings: Settings | None = None, *, plugins: Iterable[object] = (), clock: Clock | None = None
) -> Service:
    """Make a service that a plugin has registered, without an Observatory around it.

    It is not started: `await nursery.start(service.run)`. There are no modules, no other services and no routes; every
    source of skills is there. Not every service can do without the others.

    Args:
        name: the name it is registered under.
        settings: by default `Settings()`.
        plugins: plugin objects beside the installed ones.
        clock: wall time; by default the system's.

    Raises:
        InvalidInputError: an argument is not allowed.
        UnknownNameError: no plugin registers such a service.
        SettingsError: the settings name what there is not.
        PluginError: a plugin cannot be used.
    """
    settings, clock = given("settings", Settings, settings), given("clock", Clock, clock)
    registered = Plugins(settings, built_in=InTheBox(), extra=plugins)
    services = registered.services()
    if name not in services:
        raise UnknownNameError("service", name, services)
    sources: Mapping[str, SkillSource] = {
        source: found.make(SkillSource, source, bare_context(settings, clock, found.settings))
        for source, found in registered.skill_sources().items()
    }
    context = attrs.evolve(bare_context(settings, clock, services[name].settings), skill_sources=sources)
    service: Service = services[name].make(Service, name, context)
    return service
