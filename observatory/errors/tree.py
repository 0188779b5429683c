"""The tree of errors: its root, and what the library itself raises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from observatory.messages import Receipt


_LONGEST = 200
"""Characters of a name to which others are compared: with more, that would take its time."""


class ObservatoryError(Exception):
    """Base of every error that Observatory raises."""


class InvalidInputError(ObservatoryError):
    """Raised when a value given by the caller is not allowed.

    Attributes:
        field: which value, such as `to` or `metadata.items[2]`.
        reason: what is wrong with it and what is allowed.
    """

    field: str
    reason: str

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class SettingsError(ObservatoryError):
    """Raised when settings cannot be read, have an unknown key or a value of a wrong kind.

    Attributes:
        path: where, such as `$.mailbox.max_messages`.
        reason: what is wrong and what is allowed.
        source: the file or variable it came from, or None.
    """

    path: str
    reason: str
    source: str | None

    def __init__(self, path: str, reason: str, *, source: str | None = None) -> None:
        super().__init__(f"{reason} @ {path}" + (f" in {source}" if source else ""))
        self.path = path
        self.reason = reason
        self.source = source


class RootError(ObservatoryError):
    """Raised when the root is no directory, or cannot be made or written.

    Attributes:
        root: the path.
    """

    root: str

    def __init__(self, root: str, reason: str) -> None:
        super().__init__(f"the root {root} {reason}")
        self.root = root


class MailboxFullError(ObservatoryError):
    """Raised when a mailbox, or the whole table, has no room and holds nothing that may go.

    Attributes:
        to: the recipient.
        limit: the setting whose cap is reached, such as `mailbox.max_messages`.
    """

    to: str
    limit: str

    def __init__(self, to: str, limit: str, cap: int) -> None:
        own = limit in ("mailbox.max_messages", "mailbox.max_bytes")
        full = f"the mailbox of {to!r} is full" if own else f"there is no room for a message to {to!r}"
        super().__init__(
            f"{full}: {limit} is {cap}, and this mailbox holds no read message that could go; "
            "acknowledge or clear messages, or raise the setting"
        )
        self.to = to
        self.limit = limit


class IdempotencyError(ObservatoryError):
    """Raised when an idempotency key is used again for something else; nothing has happened.

    Attributes:
        sender: whose key it is.
        key: the key.
    """

    sender: str
    key: str

    def __init__(self, sender: str, key: str) -> None:
        super().__init__(f"{sender!r} has sent something else under the key {key!r}; use a new key for a new message")
        self.sender = sender
        self.key = key


class UnknownMessageError(ObservatoryError):
    """Raised when an agent's mailbox holds no message of that id.

    Attributes:
        agent: whose mailbox.
        id: the id that was asked for.
    """

    agent: str
    id: str

    def __init__(self, agent: str, id: str) -> None:
        super().__init__(f"the mailbox of {agent!r} holds no message {id!r}")
        self.agent = agent
        self.id = id


class UnknownNameError(ObservatoryError):
    """Raised when something is asked for under a name that nothing has.

    Attributes:
        kind: what was looked for, such as `storage backend`.
        name: the name that was asked for.
        known: the names there are.
    """

    kind: str
    name: str
    known: tuple[str, ...]

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(f"there is no {kind} {name!r}; {did_you_mean(name, self.known)}")


class PolicyRefusedError(ObservatoryError):
    """Raised by a policy that does not admit a message; nothing has happened.

    Attributes:
        policy: the policy's name.
        reason: why, for the sender to read.
    """

    policy: str
    reason: str

    def __init__(self, policy: str, reason: str) -> None:
        super().__init__(f"refused by policy {policy!r}: {reason}")
        self.policy = policy
        self.reason = reason


class StorageError(ObservatoryError):
    """Raised when the storage backend could not commit; nothing has happened."""


class OutcomeUnknownError(ObservatoryError):
    """Raised when the Mailbox's task died, or a client's connection or its service was lost, with the request in hand.

    It may or may not have been committed.
    """


class DeliveryError(ObservatoryError):
    """Raised when a delivery channel that the caller named in `require` did not deliver.

    Attributes:
        receipt: the message is committed, and this is its receipt.
        channels: the delivery channels that did not deliver.
    """

    receipt: Receipt
    channels: tuple[str, ...]

    def __init__(self, receipt: Receipt, channels: tuple[str, ...]) -> None:
        reasons = "; ".join(
            f"{name} is {receipt.deliveries[name].state}: {receipt.deliveries[name].error or 'not tried yet'}"
            for name in channels
        )
        super().__init__(f"message {receipt.message.id} is committed but not delivered: {reasons}")
        self.receipt = receipt
        self.channels = channels


class ClosedError(ObservatoryError):
    """Raised when something is asked of an Observatory, or a subscription, that is closing or closed."""


class SubscriptionOverflowError(ObservatoryError):
    """Raised at the reader of a subscription that closes when full.

    Attributes:
        topic: the topic or pattern.
        missed: how many events it could not hold.
    """

    topic: str
    missed: int

    def __init__(self, topic: str, missed: int) -> None:
        by = ", by the position of the last event" if topic.endswith(":*") else ""
        super().__init__(
            f"the subscription to {topic!r} fell {missed} events behind its capacity and was closed; "
            f"subscribe again with since= to resume{by}"
        )
        self.topic = topic
        self.missed = missed


class PluginError(ObservatoryError):
    """Raised when a plugin cannot be used.

    Attributes:
        plugin: its name.
        reason: what is wrong.
    """

    plugin: str
    reason: str

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(f"plugin {plugin!r}: {reason}")
        self.plugin = plugin
        self.reason = reason


class DuplicateNameError(PluginError):
    """Raised when two plugins, or two registrations of one kind, have the same name."""


class CanonicalNameError(PluginError):
    """Raised when a plugin registers a module or a command under the name of one that is always there."""


class EssentialChildError(ObservatoryError):
    """Raised out of `open_observatory` when a child that it cannot do without has failed for good.

    Attributes:
        child: the child's name, such as `module:Mailbox`.
    """

    child: str

    def __init__(self, child: str, reason: str) -> None:
        super().__init__(f"{child} has failed for good and Observatory cannot go on: {reason}")
        self.child = child


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest to `name`, or list them all."""
    import difflib  # here, so that `import observatory` is quick

    names = sorted(known)
    nearest = difflib.get_close_matches(name[:_LONGEST], names, n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"


def one_line(error: BaseException) -> str:
    """Describe an error in one line; of a group, the first real error in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
