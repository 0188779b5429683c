"""What is raised at the doors of a service, and on the way to them."""

from __future__ import annotations

from observatory.errors.tree import ObservatoryError


class UnreachableError(ObservatoryError):
    """Raised when no service can be reached where one was looked for.

    Attributes:
        where: its URL, or the root.
        reason: why not.
    """

    where: str
    reason: str

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"no service can be reached at {where}: {reason}")
        self.where = where
        self.reason = reason


class UnauthorizedError(ObservatoryError):
    """Raised when the token that came with a request is missing, wrong, or of an earlier run of the service."""

    def __init__(self, reason: str = "the token is missing, wrong, or of an earlier run of the service") -> None:
        super().__init__(f"{reason}; the token of the service stands in observatory/service.json below its root")


class ForbiddenError(ObservatoryError):
    """Raised when a request comes by a Host or from an Origin that is not allowed, or acts as somebody else.

    Attributes:
        reason: what is refused, and what is allowed.
    """

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RateLimitError(ObservatoryError):
    """Raised when an identity asks for more than it may at once; nothing has happened.

    Attributes:
        identity: the agent's name; None for the owner of the service.
        retry_after: seconds after which it may ask again.
    """

    identity: str | None
    retry_after: float

    def __init__(self, identity: str | None, retry_after: float) -> None:
        who = "the owner of the service" if identity is None else repr(identity)
        super().__init__(f"{who} has asked for more than [security] allows; ask again in {retry_after:.3g} s")
        self.identity = identity
        self.retry_after = retry_after


class ServiceRunningError(ObservatoryError):
    """Raised when a service is to be announced on a root that has one already.

    Attributes:
        root: the path.
        pid: the process that has it, or None where that cannot be told.
    """

    root: str
    pid: int | None

    def __init__(self, root: str, pid: int | None) -> None:
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{who} runs a service on the root {root} already; end that one, or take another root")
        self.root = root
        self.pid = pid
