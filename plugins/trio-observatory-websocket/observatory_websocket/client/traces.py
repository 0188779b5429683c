"""What is asked about the way of messages: the module `ProtocolTracker`, as any module that exposes something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from observatory import Surfaced, Trace, TracesClient, TraceStatistics, from_wire
from observatory_websocket.client.calls import Again, Calls


class WebSocketTraces(TracesClient):
    """The traces that a service keeps.

    Args:
        calls: what is asked.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get_traces(self, agent: str | None = None, *, limit: int = 50) -> list[Trace]:
        """Return the traces of the latest messages, newest first."""
        return from_wire(await self._ask("get_traces", agent=agent, limit=limit), list[Trace])

    async def get_trace(self, id: str) -> Trace | None:
        """Return the trace of a message; None for one that is not among the latest."""
        trace: Trace | None = from_wire(await self._ask("get_trace", id=id), Trace | None)
        return trace

    async def get_statistics(self) -> TraceStatistics:
        """Return figures of all that is traced."""
        return from_wire(await self._ask("get_statistics"), TraceStatistics)

    async def note_surfaced(self, ids: Sequence[str], by: str) -> None:
        """Note that messages were put before their recipient, by what is called so."""
        await self._ask("note_surfaced", ids=ids, by=by)

    async def get_surfaced(self, agent: str, *, not_by: str | None = None, after: str | None = None) -> Surfaced:
        """Return which messages were put into an agent's present context."""
        return from_wire(await self._ask("get_surfaced", agent=agent, not_by=not_by, after=after), Surfaced)

    async def _ask(self, method: str, **params: Any) -> Any:
        called = {"module": "ProtocolTracker", "method": method, "params": params}
        return await self._calls.ask("modules.call", called, again=Again.YES)
