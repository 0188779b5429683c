"""Where an Observatory is put together: the only place that knows all its parts, and the list of modules."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import trio

from observatory.abc import Context, DeliveryChannel, Module, Service, StorageBackend
from observatory.asgi import AsgiApp
from observatory.checks import Check
from observatory.clock import Clock
from observatory.delivery.dead_letters import EXPIRED, DeadLetters
from observatory.delivery.dispatcher import Dispatcher
from observatory.delivery.lane import Lane
from observatory.delivery.ledger import Ledger
from observatory.delivery.reports import Reports
from observatory.delivery.trail import Trail
from observatory.errors import ClosedError, MailboxFullError
from observatory.in_the_box import InTheBox
from observatory.lookup import Lookup
from observatory.messages import DeadLetter, DeliveryRecord, Health
from observatory.modules.checks import check_id, check_ids
from observatory.modules.mailbox import Mailbox
from observatory.modules.notes import Notes
from observatory.modules.presence import Presence
from observatory.modules.protocol_tracker import ProtocolTracker
from observatory.modules.swarm_monitor import SwarmMonitor
from observatory.overview import PluginInfo, Statistics
from observatory.plugins import Plugins
from observatory.pubsub import PubSub
from observatory.registrar import Registered
from observatory.rounds import Rounds, rounds_of
from observatory.script_check import ScriptCheck
from observatory.security import Security
from observatory.service_file import ServiceFile
from observatory.settings import Settings
from observatory.skills import SkillSource
from observatory.sources.file_source import FileSource
from observatory.supervisor import Supervisor

_log = logging.getLogger("observatory")


class Observatory(Lookup):
    """A running Observatory; made by `open_observatory`."""

    def __init__(
        self,
        settings: Settings,
        *,
        plugins: Iterable[object],
        clock: Clock,
        recover: Collection[str] | None,
        services: bool | Collection[str],
    ) -> None:
        super().__init__()
        self.settings = settings
        """What it was opened with."""
        self.clock = clock
        """Wall time."""
        self.pubsub = PubSub(settings.pubsub)
        """Topics and subscriptions."""
        self.security = Security(settings.security)
        """Tokens, identities, Host and Origin: what every door asks."""
        self.undelivered = 0
        """After it is closed: jobs that the lanes could not finish."""
        self._plugins = Plugins(settings, built_in=InTheBox(), extra=plugins)
        self._supervisor = Supervisor(settings.supervision, self.pubsub, self._plugins.broken())
        self._skill_sources: dict[str, SkillSource] = {}
        self._routes: dict[str, AsgiApp] = {}
        self._service_file = ServiceFile(settings.root, self.security, clock)
        self._storage = self._make_storage()
        self._storage_started = False
        self._dispatcher = self._make_dispatcher()
        self._channels = {name: lane.channel for name, lane in self._dispatcher.lanes.items()}
        context, source = self._context(None), FileSource(settings.root)
        follows = bool(services) and settings.swarm.follow
        wanted = source if follows or not services else None
        self.presence = Presence(context, settings=settings.presence, source=wanted, looks=not services)
        """Who is there, and who holds what."""
        self.mailbox = Mailbox(
            context,
            settings=settings.mailbox,
            storage=self._storage,
            dispatcher=self._dispatcher,
            policies=self._plugins.policies(),
            recover=recover,
            presence=self.presence,
        )
        """Messages."""
        self.notes = Notes(context, settings=settings.notes)
        """Notes."""
        self.swarm = SwarmMonitor(context, settings=settings.swarm, source=source, follows=follows)
        """The tasks of the swarm."""
        self.traces = ProtocolTracker(
            context, settings=settings.traces, mailbox=self.mailbox, dispatcher=self._dispatcher
        )
        """The way of the latest messages."""
        # The canonical modules: always present, and no plugin may register under their names.
        self._modules |= {
            "Mailbox": self.mailbox,
            "SwarmMonitor": self.swarm,
            "ProtocolTracker": self.traces,
            "Notes": self.notes,
            "Presence": self.presence,
        }
        self._with_services = services
        self._add_parts_of_plugins()
        self._rounds = self._make_rounds() if follows else {}

    def _add_parts_of_plugins(self) -> None:
        for name, registered in self._plugins.modules().items():
            self._modules[name] = self._make(Module, name, registered)
        if wanted := self._with_services:
            for name, registered in self._plugins.skill_sources().items():
                self._skill_sources[name] = self._make(SkillSource, name, registered)
            routes = self._plugins.routes().items()
            self._routes |= {name: self._make(Callable, name, found) for name, found in routes}  # type: ignore[arg-type]
            for name, registered in self._plugins.services().items():
                if wanted is True or name in wanted:
                    self._services[name] = self._make(Service, name, registered)

    def health(self) -> Health:
        """Return the state of every module, lane and service."""
        return self._supervisor.health()

    def statistics(self) -> Statistics:
        """Return the figures of everything."""
        lanes = self._dispatcher.lanes
        return Statistics(
            mailbox=self.mailbox.statistics(),
            pubsub=self.pubsub.statistics(),
            lanes={name: lane.statistics() for name, lane in lanes.items()},
            channels={name: lane.channel.statistics() for name, lane in lanes.items()},
            services={name: service.statistics() for name, service in self._services.items()},
            restarts={child.name: child.restarts for child in self.health().children},
            rate_limited=self.security.rate_limited,
            forgotten_dead_letters=self._dispatcher.dead_letters.forgotten,
        )

    def plugins(self) -> tuple[PluginInfo, ...]:
        """Return what is known of every plugin."""
        return self._plugins.infos()

    def deliveries(self, message_id: str) -> tuple[DeliveryRecord, ...]:
        """Return how far each delivery channel has come with a message; nothing for what was never reported on.

        The latest 50,000 to 100,000 messages are remembered for each delivery channel (`[delivery] ledger`), with a
        storage backend that is durable also after a restart.

        Raises:
            InvalidInputError: it is no id of a message.
        """
        check_id("message_id", message_id)
        return self._dispatcher.deliveries(message_id)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the deliveries that were given up, oldest first."""
        return self._dispatcher.dead_letters.list()

    async def redeliver(self, ids: Collection[str] | None = None) -> int:
        """Try dead letters again: those of these messages, or all. They arrive out of order.

        What expired is sent again, as a new message. What could not be taken back yet is tried, too.

        Returns:
            How many were handed to their lanes; what has no room there stays a dead letter.

        Raises:
            InvalidInputError: they are no collection of ids.
            ClosedError: when Observatory is closed.
            StorageError: what expired could not be sent again.
            OutcomeUnknownError: the Mailbox's task died while it was sent again.
        """
        if ids is not None:
            ids = check_ids("ids", ids)
        await trio.lowlevel.checkpoint()
        if self.pubsub.closed:
            raise ClosedError("this Observatory is closed; nothing is delivered any more")
        return self._dispatcher.redeliver(ids) + await self._resend(ids)

    async def _resend(self, ids: Collection[str] | None) -> int:
        """Put messages back that have expired; when there is no room, what is left stays a dead letter."""
        letters = self._dispatcher.dead_letters
        expired = [letter for letter in letters.list() if letter.channel == EXPIRED]
        count = 0
        for letter in expired:
            if ids is None or letter.message.id in ids:
                with suppress(MailboxFullError):
                    count += await self.mailbox.resend(letter)
        return count

    def _context(self, plugin_settings: Any) -> Context:
        return Context(
            root=self.settings.root,
            clock=self.clock,
            pubsub=self.pubsub,
            settings=plugin_settings,
            modules=self._modules,
            services=self._services,
            skill_sources=self._skill_sources,
            routes=self._routes,
            observatory=self,
            bounds=self.settings.mailbox,
            security=self.security,
            service_file=self._service_file,
        )

    def _make_storage(self) -> StorageBackend:
        name, registered = self._plugins.chosen_storage()
        backend: StorageBackend = self._make(StorageBackend, name, registered)
        return backend

    def _make_dispatcher(self) -> Dispatcher:
        settings = self.settings.delivery
        channels, required = self._plugins.chosen_channels()
        stored = self._storage.durability != "memory"
        dead_letters = DeadLetters(settings.dead_letters, stored=stored)
        trail = Trail(self.settings.traces, self.clock)
        lanes = [
            Lane(
                name,
                self._make(DeliveryChannel, name, registered),
                required=name in required,
                settings=settings,
                reports=Reports(name, self.clock, dead_letters, Ledger(settings.ledger, stored=stored), trail),
                chance=random.Random(),
            )
            for name, registered in channels.items()
        ]
        return Dispatcher(lanes, dead_letters, trail)

    def _make_rounds(self) -> Mapping[str, Rounds]:
        checks = {name: self._make(Check, name, found) for name, found in self._plugins.checks().items()}
        checks |= {name: ScriptCheck(command) for name, command in self.settings.swarm.checks.items()}
        return rounds_of(checks, self.swarm.note_health)

    def _make(self, kind: type[Any], name: str, registered: Registered) -> Any:
        return registered.make(kind, name, self._context(registered.settings))

    async def start(self, nursery: trio.Nursery) -> None:
        """Start everything as children of `nursery`, and return when all of it is ready."""
        await self._storage.start()
        self._storage_started = True
        start = self._supervisor.start
        for name, lane in self._dispatcher.lanes.items():
            await start(nursery, f"lane:{name}", lane.run, essential=lane.required)
        for name, module in self._modules.items():
            await start(nursery, f"module:{name}", module.run, essential=module.essential)
        if not self._with_services:
            return
        for name, lane in self._dispatcher.lanes.items():
            if lane.channel.watches:
                adopt = partial(self.mailbox.adopt, origin=name)
                await start(nursery, f"watch:{name}", partial(lane.watch, adopt, self.mailbox.taken))
        for name, service in self._services.items():
            await start(nursery, f"service:{name}", service.run, essential=service.essential)
        for name, rounds in self._rounds.items():
            await start(nursery, f"check:{name}", rounds.run)

    async def drain(self) -> None:
        """Refuse new sends, serve the accepted ones, drain the lanes, and flush storage for as long as that takes."""
        with trio.move_on_after(self.settings.supervision.drain):
            await self.mailbox.close()
            await self._dispatcher.drain()
        with trio.move_on_after(self.settings.supervision.flush):  # a full lane may hold it up
            await self.mailbox.record()
        await self._storage.flush()

    async def stop(self) -> None:
        """End every child: services first, then modules, then lanes."""
        await self._supervisor.stop()

    async def flush(self) -> None:
        """Also when cancelled: make what was committed as durable as promised."""
        self.undelivered = self._dispatcher.undelivered
        self.pubsub.close()
        if self._storage_started:
            await self._within("storage was not flushed", self._storage.flush)

    async def aclose(self) -> None:
        """Give everything back, once no child runs any more."""
        self.mailbox.end()
        await self._within("the delivery channels were not closed", self._dispatcher.aclose)
        if self._storage_started:  # in a time of its own: channels that are slow to close must not leave it open
            await self._within("storage was not closed", self._storage.aclose)

    async def _within(self, missed: str, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step of closing that nobody's cancelling reaches, for a time that ends."""
        seconds = self.settings.supervision.flush
        with trio.CancelScope(shield=True, deadline=trio.current_time() + seconds) as scope:
            await step()
        if scope.cancelled_caught:
            _log.warning("%s within %g s", missed, seconds)
