"""Who asks for something, and in whose name."""

from __future__ import annotations

import attrs

from observatory import Identity, InvalidInputError
from observatory_websocket.server.following import Follower, Following
from observatory_websocket.server.listening import Listening


@attrs.frozen
class Caller:
    """Who asks, and over which connection."""

    identity: Identity
    """Who it is."""
    following: Following
    """What the connection follows."""
    listening: Listening
    """For whose mail it listens."""
    followers: list[Follower] = attrs.field(factory=list)
    """What it has begun to follow with this request."""

    def take_back(self) -> None:
        """End what was begun with this request: who is told of an error does not expect it."""
        for follower in self.followers:
            self.following.unsubscribe(follower.topic)
        self.followers.clear()

    def acts_as(self, name: str | None, parameter: str) -> str:
        """Return in whose name something is done: by default its own.

        Args:
            name: the one that was given.
            parameter: where that stands.

        Raises:
            ForbiddenError: it cannot act in that name.
            InvalidInputError: it says no name, and has none of its own.
        """
        if name is not None:
            self.identity.check_acts_as(name)
            return name
        if self.identity.name is None:
            raise InvalidInputError(f"params.{parameter}", "is missing, and this connection's token names nobody")
        return self.identity.name
