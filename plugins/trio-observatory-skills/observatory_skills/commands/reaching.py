"""The registry that a command asks: that of the service that runs on the root, or else one of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import trio

from observatory import Client, Settings, from_wire, make_service
from observatory.commands import in_time, service_on
from observatory_skills.registry import SkillRegistry
from observatory_skills.values import Loaded, Resource, SkillsUpdate

SERVICE = "skills"


class Skills(Protocol):
    """What a command asks of a registry."""

    async def loaded(self) -> Loaded:
        """Return what counts, and what does not."""

    async def catalogue(self, format: str, max_chars: int | None) -> str:
        """Return what an agent is told of all skills."""

    async def body(self, name: str) -> str:
        """Return the instructions of a skill."""

    async def resources(self, name: str) -> tuple[str, ...]:
        """Return the paths of its other files."""

    async def get_resource(self, name: str, path: str) -> Resource:
        """Return what stands in one of them."""


@asynccontextmanager
async def registry(settings: Settings) -> AsyncIterator[Skills]:
    """Reach the registry of the service that runs on a root, or load skills for the time of a command.

    Raises:
        ObservatoryError: neither can be done.
    """
    async with service_on(settings) as client:
        if client is not None:
            yield There(client)
            return
    async with running(settings) as here:
        yield Here(here)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[SkillRegistry]:
    """Run a registry for the time of a block."""
    service = make_service(SERVICE, settings)
    assert isinstance(service, SkillRegistry)  # noqa: S101  # the name is ours
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        yield service
        nursery.cancel_scope.cancel()


class There:
    """That of a service.

    Args:
        client: a client of it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def loaded(self) -> Loaded:
        """Return what counts, and what does not."""
        return from_wire(await self._call("loaded"), Loaded)

    async def catalogue(self, format: str, max_chars: int | None) -> str:
        """Return what an agent is told of all skills."""
        text: str = await self._call("catalogue", format=format, max_chars=max_chars)
        return text

    async def body(self, name: str) -> str:
        """Return the instructions of a skill."""
        text: str = await self._call("body", name=name)
        return text

    async def resources(self, name: str) -> tuple[str, ...]:
        """Return the paths of its other files."""
        return tuple(await self._call("resources", name=name))

    async def get_resource(self, name: str, path: str) -> Resource:
        """Return what stands in one of them."""
        return from_wire(await self._call("get_resource", name=name, path=path), Resource)

    async def reload(self) -> SkillsUpdate:
        """Load everything again."""
        return from_wire(await self._call("reload"), SkillsUpdate)

    async def _call(self, method: str, **params: Any) -> Any:
        return await in_time(self._client.call_service, SERVICE, method, **params)


class Here:
    """One in this process.

    Args:
        registry: it runs.
    """

    def __init__(self, registry: SkillRegistry) -> None:
        self._registry = registry
        self.body = registry.body
        self.resources = registry.resources
        self.get_resource = registry.get_resource

    async def loaded(self) -> Loaded:
        """Return what counts, and what does not."""
        await trio.lowlevel.checkpoint()
        return self._registry.loaded()

    async def catalogue(self, format: Any, max_chars: int | None) -> str:
        """Return what an agent is told of all skills."""
        await trio.lowlevel.checkpoint()
        return self._registry.catalogue(format=format, max_chars=max_chars)
