"""Who is there and who holds what: the module `Presence`, as any module that exposes something."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from observatory import (
    Agent,
    ClosedError,
    Lease,
    LeaseLostError,
    ObservatoryError,
    PresenceClient,
    RateLimitError,
    from_wire,
)
from observatory_websocket.client.calls import Again, Calls

_AGENTS, _LEASES = 200, 100
"""How many fit into an answer, whatever they are called."""

_MOMENT = 1.0
"""Seconds that giving a lease back may take, whether or not the block that held it is cancelled."""


class WebSocketPresence(PresenceClient):
    """The agents that a service knows, and their leases.

    Args:
        calls: what is asked.
        nursery: of the client: its tasks keep leases.
    """

    def __init__(self, calls: Calls, nursery: trio.Nursery) -> None:
        self._calls = calls
        self._nursery = nursery

    async def list_agents(self) -> list[Agent]:
        """Return the agents that are known, by name."""
        agents: list[Agent] = []
        more = True
        while more:
            after = agents[-1].name if agents else ""
            page = await self._ask("list_agents", again=Again.YES, after=after, limit=_AGENTS)
            agents += from_wire(page, list[Agent])
            more = len(page) == _AGENTS
        return agents

    async def get_agent(self, name: str) -> Agent | None:
        """Return an agent; None when nobody has heard of it."""
        return from_wire(await self._ask("get_agent", again=Again.YES, name=name), Agent | None)

    async def list_leases(self) -> list[Lease]:
        """Return the leases that there are, by resource."""
        leases: list[Lease] = []
        more = True
        while more:
            after = leases[-1].resource if leases else ""
            page = await self._ask("list_leases", again=Again.YES, after=after, limit=_LEASES)
            leases += from_wire(page, list[Lease])
            more = len(page) == _LEASES
        return leases

    async def acquire_lease(self, agent: str, resource: str) -> Lease:
        """Take a lease, which has to be renewed."""
        return from_wire(await self._ask("acquire_lease", agent=agent, resource=resource), Lease)

    async def renew_lease(self, id: str) -> Lease:
        """Let a lease last from now on."""
        return from_wire(await self._ask("renew_lease", again=Again.YES, id=id), Lease)

    async def release_lease(self, id: str) -> bool:
        """Give a lease back; return False when there is none any more."""
        there: bool = await self._ask("release_lease", id=id)
        return there

    @asynccontextmanager
    async def lease(self, agent: str, resource: str) -> AsyncIterator[Lease]:
        """Hold a lease for the time of a block, which is cancelled, and raises `LeaseLostError`, when it is lost."""
        with trio.CancelScope() as scope:
            holding = _Holding(self, scope)
            self._nursery.start_soon(holding.run, agent, resource)  # noqa: ASYNC113 -- its answer is waited for
            try:
                lease = await holding.wait_taken()
                yield lease
            finally:
                holding.renewing.cancel()
                with trio.CancelScope(shield=True, deadline=trio.current_time() + _MOMENT):
                    await holding.over.wait()
        if holding.lost:
            raise LeaseLostError(lease.id)

    async def _ask(self, method: str, *, again: Again = Again.NO, **params: Any) -> Any:
        called = {"module": "Presence", "method": method, "params": params}
        return await self._calls.ask("modules.call", called, again=again)


class _Holding:
    """A lease from the question for it until it is given back, in a task of the client.

    Whoever waits for it may be cancelled at any time; an answer that comes after that is that of a lease, too.

    Args:
        client: whom to ask.
        block: what is cancelled when the lease is lost.
    """

    def __init__(self, client: PresenceClient, block: trio.CancelScope) -> None:
        self.renewing = trio.CancelScope()
        """Is cancelled when the lease is held no longer."""
        self.over = trio.Event()
        """Nothing more is asked for."""
        self.lost = False
        """Whether it was lost while it was held."""
        self._client = client
        self._block = block
        self._answered = trio.Event()
        self._answer: Lease | ObservatoryError = ClosedError("this client is closed")

    async def wait_taken(self) -> Lease:
        """Wait until the lease is taken.

        Raises:
            ObservatoryError: it cannot be.
        """
        await self._answered.wait()
        if isinstance(self._answer, ObservatoryError):
            raise self._answer.with_traceback(None)
        return self._answer

    async def run(self, agent: str, resource: str) -> None:
        """Take the lease, renew it as long as it is held, and give it back."""
        asked = trio.current_time()
        try:
            try:
                self._answer = lease = await self._client.acquire_lease(agent, resource)
            except ObservatoryError as error:
                self._answer = error
                return
            self._answered.set()
            with self.renewing:
                await self._renew(lease, asked)
            if self.renewing.cancel_called:
                with suppress(ObservatoryError):  # it expires by itself
                    await _patiently(self._client.release_lease, lease.id)
        finally:
            if isinstance(self._answer, Lease) and not self.renewing.cancel_called:
                self.lost = True
                self._block.cancel()
            self._answered.set()
            self.over.set()

    async def _renew(self, lease: Lease, asked: float) -> None:
        """Renew the lease again and again; return when it is lost, also when that could not be found out in time."""
        while True:
            await trio.sleep_until(asked + lease.seconds / 3)
            expires, asked = asked + lease.seconds, trio.current_time()
            with trio.move_on_at(expires), suppress(ObservatoryError):
                await _patiently(self._client.renew_lease, lease.id)
                continue
            return


async def _patiently(ask: Callable[[str], Awaitable[object]], id: str) -> None:
    """Ask, and again where that was too often for the service."""
    while True:
        try:
            await ask(id)
            return
        except RateLimitError as error:
            await trio.sleep(error.retry_after)
