"""Requests that wait for somebody else, for as long as that takes: they take no room from the others."""

from __future__ import annotations

from typing import Any

import trio

from observatory import InvalidInputError
from observatory_websocket.server import rpc

CANCEL = "observatory.cancel"
"""The notification that takes one of them back, by its `id`."""

METHODS = frozenset(("mailbox.receive", "mailbox.request"))
"""What waits like that, unless it is part of a batch."""

_MOST = 1_000
"""Of one connection: each is a task."""


class Waiting:
    """Those of one connection."""

    def __init__(self) -> None:
        self._ids: dict[trio.CancelScope, rpc.Id] = {}

    def begin(self, id: rpc.Id) -> trio.CancelScope:
        """Return the scope in which a request of that id is to wait; `end` is called with it.

        Raises:
            InvalidInputError: there are too many.
        """
        if len(self._ids) >= _MOST:
            raise InvalidInputError("method", f"a connection may wait for {_MOST:,} messages, and this one does")
        scope = trio.CancelScope()
        self._ids[scope] = id
        return scope

    def end(self, scope: trio.CancelScope) -> None:
        """Note that it waits no more."""
        del self._ids[scope]

    def cancel(self, params: Any) -> None:
        """Take back what waits under an id; neither that nor this is answered."""
        wanted = params.get("id") if isinstance(params, dict) else None
        for scope, id in self._ids.items():
            if id == wanted and id is not None:
                scope.cancel()
