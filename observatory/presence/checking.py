"""What callers hand over about leases, checked; and in whose name an agent asks."""

from __future__ import annotations

from observatory.arguments import check_name, shorten
from observatory.errors import InvalidInputError
from observatory.kinds import kind_of
from observatory.security import Identity

_LONGEST = 1_024


def check_holder(agent: object, identity: Identity | None) -> None:
    """Check who asks for a lease: an agent that comes by a door does so for itself.

    Raises:
        InvalidInputError: it is no name.
        ForbiddenError: it acts as somebody else.
    """
    check_name("agent", agent)
    if identity is not None and isinstance(agent, str):
        identity.check_acts_as(agent)


def check_resource(resource: object) -> None:
    """Check what a lease is to be of.

    Raises:
        InvalidInputError: it is not 1 to 1,024 printable characters.
    """
    if not (isinstance(resource, str) and 0 < len(resource) <= _LONGEST and resource.isprintable()):
        got = shorten(resource) if isinstance(resource, str) else kind_of(resource)
        raise InvalidInputError("resource", f"{got} cannot be held: 1 to {_LONGEST:,} printable characters are allowed")


def check_lease_id(id: object) -> None:
    """Check that something can be the id of a lease.

    Raises:
        InvalidInputError: it is no string.
    """
    if not isinstance(id, str):
        raise InvalidInputError("id", f"expected the id of a lease, got {kind_of(id)}")
