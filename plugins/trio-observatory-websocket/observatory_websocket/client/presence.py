"""Who is there and who holds what: the module `Presence`, as any module that exposes something."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
from observatory_websocket.client.calls import Again, Calls, MayWrite

_AGENTS, _LEASES = 200, 100
"""How many fit into an answer, whatever they are called."""

_MOMENT = 1.0
"""Seconds that giving a lease back may take, whether or not the block that held it is cancelled."""

_NEVER = float("-inf")


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
            page = await _ask(self._calls, "list_agents", again=Again.YES, after=after, limit=_AGENTS)
            agents += from_wire(page, list[Agent])
            more = len(page) == _AGENTS
        return agents

    async def get_agent(self, name: str) -> Agent | None:
        """Return an agent; None when nobody has heard of it."""
        return from_wire(await _ask(self._calls, "get_agent", again=Again.YES, name=name), Agent | None)

    async def list_leases(self) -> list[Lease]:
        """Return the leases that there are, by resource."""
        leases: list[Lease] = []
        more = True
        while more:
            after = leases[-1].resource if leases else ""
            page = await _ask(self._calls, "list_leases", again=Again.YES, after=after, limit=_LEASES)
            leases += from_wire(page, list[Lease])
            more = len(page) == _LEASES
        return leases

    async def acquire_lease(self, agent: str, resource: str) -> Lease:
        """Take a lease, which has to be renewed."""
        return from_wire(await _ask(self._calls, "acquire_lease", agent=agent, resource=resource), Lease)

    async def renew_lease(self, id: str) -> Lease:
        """Let a lease last from now on."""
        return from_wire(await _ask(self._calls, "renew_lease", again=Again.YES, id=id), Lease)

    async def release_lease(self, id: str) -> bool:
        """Give a lease back; return False when there is none any more."""
        there: bool = await _ask(self._calls, "release_lease", id=id)
        return there

    @asynccontextmanager
    async def lease(self, agent: str, resource: str) -> AsyncIterator[Lease]:
        """Hold a lease for the time of a block, which is cancelled, and raises `LeaseLostError`, when it is lost."""
        with trio.CancelScope() as scope:
            try:
                self._calls.check_open()
            except ObservatoryError:
                await trio.lowlevel.checkpoint()  # noqa: ASYNC120 -- cancelled, it may be that
                raise
            holding = _Holding(self._calls, scope)
            self._nursery.start_soon(holding.run, agent, resource)  # noqa: ASYNC113 -- its answer is waited for
            try:
                lease = await holding.wait_taken()
                yield lease
            finally:
                holding.leave()
                with trio.CancelScope(shield=True, deadline=trio.current_time() + _MOMENT):
                    await holding.over.wait()
        if holding.lost:
            raise LeaseLostError(lease.id)


class _Holding:
    """A lease from the question for it until it is given back, in a task of the client.

    Whoever waits for it may be cancelled at any time; an answer that comes after that is that of a lease, too.

    Args:
        calls: what is asked.
        block: what is cancelled when the lease is lost.
    """

    def __init__(self, calls: Calls, block: trio.CancelScope) -> None:
        self.over = trio.Event()
        """There is nothing more to wait for."""
        self.lost = False
        """Whether it was lost while it was held."""
        self._calls = calls
        self._block = block
        self._taking = trio.CancelScope()
        self._renewing = trio.CancelScope()  # cancelled when the block is left
        self._asked = _NEVER  # when that for the lease, or for more time, was written last: it lasts from then
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

    def leave(self) -> None:
        """Hold it no longer; what the service was not asked for yet is not asked for any more."""
        self._renewing.cancel()
        if self._asked == _NEVER:
            self._taking.cancel()

    async def run(self, agent: str, resource: str) -> None:
        """Take the lease, renew it as long as it is held, and give it back."""
        try:
            with self._taking:
                await self._take(agent, resource)
            if isinstance(self._answer, Lease):
                await self._keep(self._answer)
        finally:
            self._answered.set()
            self.over.set()

    async def _take(self, agent: str, resource: str) -> None:
        try:
            taken = await _ask(self._calls, "acquire_lease", may_write=self._may_write, agent=agent, resource=resource)
            self._answer = from_wire(taken, Lease)
        except ObservatoryError as error:
            self._answer = error

    async def _keep(self, lease: Lease) -> None:
        self._answered.set()
        try:
            with self._renewing:
                await self._renew(lease)
        finally:
            if not self._renewing.cancel_called:
                self.lost = True
                self._block.cancel()
                self.over.set()
        # Also what is lost here may be there at the service. Later than this it has expired by itself.
        with trio.move_on_after(lease.seconds), suppress(ObservatoryError):
            await _ask_patiently(self._calls, "release_lease", lease.id)

    async def _renew(self, lease: Lease) -> None:
        """Renew the lease again and again; return when it is lost, also when that could not be found out in time."""
        while True:
            expires = self._asked + lease.seconds
            with trio.move_on_at(self._asked + lease.seconds / 3):
                await self._calls.wait_connected()  # with a service, perhaps, that was started again
            with trio.move_on_at(expires), suppress(ObservatoryError):
                await _ask_patiently(self._calls, "renew_lease", lease.id, again=Again.YES, may_write=self._may_write)
                continue
            return

    def _may_write(self) -> bool:
        if self._renewing.cancel_called:
            return False
        self._asked = trio.current_time()
        return True


async def _ask(
    calls: Calls, method: str, *, again: Again = Again.NO, may_write: MayWrite | None = None, **params: Any
) -> Any:
    called = {"module": "Presence", "method": method, "params": params}
    return await calls.ask("modules.call", called, again=again, may_write=may_write)


async def _ask_patiently(
    calls: Calls, method: str, id: str, *, again: Again = Again.NO, may_write: MayWrite | None = None
) -> None:
    """Ask, and again where that was too often for the service."""
    while True:
        try:
            await _ask(calls, method, again=again, may_write=may_write, id=id)
            return
        except RateLimitError as error:
            await trio.sleep(error.retry_after)
