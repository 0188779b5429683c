"""Every hook of Observatory. A plugin implements the ones it needs and marks them with `hookimpl`.

All hooks are synchronous and are called once, while `open_observatory` puts an Observatory together, `examine` looks
for what is wrong, or the command line for a command; none is called per message. Entry-point group: `observatory`. A
plugin may define `settings_class`, an attrs class that is filled from `[plugins.NAME]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from observatory.abc import (
    ChannelFactory,
    CommandFactory,
    ModuleFactory,
    Policy,
    RouteFactory,
    ServiceFactory,
    SkillSourceFactory,
    StorageFactory,
)
from observatory.checks import CheckFactory
from observatory.registrar import Registrar

if TYPE_CHECKING:
    from observatory.client import Connector

hookspec = pluggy.HookspecMarker("observatory")
hookimpl = pluggy.HookimplMarker("observatory")


@hookspec
def observatory_register_storage(registrar: Registrar[StorageFactory]) -> None:
    """Register storage backends. Called first; `[storage] backend` picks one by name, and only that is made."""


@hookspec
def observatory_register_channels(registrar: Registrar[ChannelFactory]) -> None:
    """Register delivery channels. Called after storage; each one that is not disabled gets a lane of its own."""


@hookspec
def observatory_register_modules(registrar: Registrar[ModuleFactory]) -> None:
    """Register ephemeral modules. Called after channels; they start after the canonical ones."""


@hookspec
def observatory_register_skill_sources(registrar: Registrar[SkillSourceFactory]) -> None:
    """Register sources of skills. Called after modules; services find them in `context.skill_sources`."""


@hookspec
def observatory_register_routes(registrar: Registrar[RouteFactory]) -> None:
    """Register what is served at `/NAME`. Called after sources of skills; services find them in `context.routes`."""


@hookspec
def observatory_register_services(registrar: Registrar[ServiceFactory]) -> None:
    """Register long-running services. Called after routes; they start last and stop first."""


@hookspec
def observatory_register_policies(registrar: Registrar[Policy]) -> None:
    """Register functions that are asked on every send. Called after services; asked in the order of registration."""


@hookspec
def observatory_register_checks(registrar: Registrar[CheckFactory]) -> None:
    """Register checks. Called after policies; made when somebody asks what is wrong, or the swarm is followed."""


@hookspec
def observatory_register_commands(registrar: Registrar[CommandFactory]) -> None:
    """Register groups of the command line. Called after checks; made when the command line is asked for one."""


@hookspec
def observatory_register_connectors(registrar: Registrar[Connector]) -> None:
    """Register connectors, by the door they go through. Called last; the command line asks one when a service runs."""
