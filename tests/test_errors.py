"""Errors: texts for people, attributes for programs, one tree."""

import inspect
import re
from datetime import UTC, datetime
from typing import get_type_hints

import pytest

from observatory import errors
from observatory.errors import ObservatoryError
from observatory.messages import Delivery, Message, Receipt

RECEIPT = Receipt(
    Message("0123456789abcdef", "a", "b", "text", datetime(2026, 1, 1, tzinfo=UTC)),
    sequence=1,
    durability="memory",
    deliveries={
        "inbox": Delivery("inbox", "retrying", attempts=1, error="disk full"),
        "log": Delivery("log", "queued"),
    },
)
KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, ObservatoryError)]
CASES: list[tuple[ObservatoryError, str, dict[str, object]]] = [
    (errors.InvalidInputError("to", "is empty"), "to: is empty", {"field": "to", "reason": "is empty"}),
    (
        errors.SettingsError("$.notes", "expected a table", source="observatory.toml"),
        "expected a table @ $.notes in observatory.toml",
        {"path": "$.notes", "reason": "expected a table", "source": "observatory.toml"},
    ),
    (errors.SettingsError("$", "is wrong"), "is wrong @ $", {"source": None}),
    (errors.RootError("/srv", "is no directory"), "the root /srv is no directory", {"root": "/srv"}),
    (
        errors.MailboxFullError("b", "mailbox.max_messages", 5),
        "the mailbox of 'b' is full: mailbox.max_messages is 5, and this mailbox holds no read message that could go; "
        "acknowledge or clear messages, or raise the setting",
        {"to": "b", "limit": "mailbox.max_messages"},
    ),
    (errors.UnknownMessageError("b", "0"), "the mailbox of 'b' holds no message '0'", {"agent": "b", "id": "0"}),
    (
        errors.UnknownNameError("storage backend", "sqlit", ["sqlite", "memory"]),
        "there is no storage backend 'sqlit'; did you mean 'sqlite'?",
        {"kind": "storage backend", "name": "sqlit", "known": ("memory", "sqlite")},
    ),
    (
        errors.PolicyRefusedError("quiet", "too loud"),
        "refused by policy 'quiet': too loud",
        {"policy": "quiet", "reason": "too loud"},
    ),
    (
        errors.DeliveryError(RECEIPT, ("inbox", "log")),
        "message 0123456789abcdef is committed but not delivered: "
        "inbox is retrying: disk full; log is queued: not tried yet",
        {"receipt": RECEIPT, "channels": ("inbox", "log")},
    ),
    (
        errors.SubscriptionOverflowError("agent:b", 3),
        "the subscription to 'agent:b' fell 3 events behind its capacity and was closed; "
        "subscribe again with since= to resume",
        {"topic": "agent:b", "missed": 3},
    ),
    (errors.DuplicateNameError("x", "twice"), "plugin 'x': twice", {"plugin": "x", "reason": "twice"}),
    (errors.CanonicalNameError("x", "ours"), "plugin 'x': ours", {"plugin": "x", "reason": "ours"}),
    (
        errors.UnauthorizedError(),
        "the token is missing, wrong, or of an earlier run of the service; "
        "the token of the service stands in observatory/service.json below its root",
        {},
    ),
    (
        errors.UnauthorizedError("there are two"),
        "there are two; the token of the service stands in observatory/service.json below its root",
        {},
    ),
    (errors.ForbiddenError("not from there"), "not from there", {"reason": "not from there"}),
    (
        errors.RateLimitError("b", 0.25),
        "'b' has asked for more than [security] allows; ask again in 0.25 s",
        {"identity": "b", "retry_after": 0.25},
    ),
    (
        errors.RateLimitError(None, 1 / 3),
        "the owner of the service has asked for more than [security] allows; ask again in 0.333 s",
        {"identity": None, "retry_after": 1 / 3},
    ),
    (
        errors.ServiceRunningError("/srv", 5),
        "process 5 runs a service on the root /srv already; end that one, or take another root",
        {"root": "/srv", "pid": 5},
    ),
    (
        errors.ServiceRunningError("/srv", None),
        "another process runs a service on the root /srv already; end that one, or take another root",
        {"root": "/srv", "pid": None},
    ),
    (
        errors.UnknownRecipientError("bbo", ("bob", "bobby")),
        "nobody has heard of 'bbo', and [mailbox] unknown_recipients is \"refuse\"; did you mean 'bob' or 'bobby'?",
        {"to": "bbo", "nearest": ("bob", "bobby")},
    ),
    (
        errors.UnknownRecipientError("xyz", ()),
        "nobody has heard of 'xyz', and [mailbox] unknown_recipients is \"refuse\"",
        {"to": "xyz", "nearest": ()},
    ),
    (
        errors.LeaseTakenError("src/parser.py", "ann", datetime(2026, 1, 1, 12, 30, tzinfo=UTC)),
        "'src/parser.py' is held by 'ann' until 12:30:00 UTC, unless that is renewed; wait, or ask 'ann'",
        {"resource": "src/parser.py", "holder": "ann", "expires_at": datetime(2026, 1, 1, 12, 30, tzinfo=UTC)},
    ),
    (
        errors.LeaseLostError("0"),
        "there is no lease '0' any more; what it was of may be somebody else's: take it anew",
        {"id": "0"},
    ),
    (
        errors.LeaseLimitError("ann", "presence.max_leases_each", 2),
        "'ann' cannot hold one more: presence.max_leases_each is 2; release others, or raise the setting",
        {"holder": "ann", "limit": "presence.max_leases_each"},
    ),
    (
        errors.EssentialChildError("module:Mailbox", "boom"),
        "module:Mailbox has failed for good and Observatory cannot go on: boom",
        {"child": "module:Mailbox"},
    ),
]


@pytest.mark.parametrize(
    ("error", "text", "attributes"), CASES, ids=[f"{n}-{type(c[0]).__name__}" for n, c in enumerate(CASES)]
)
def test_text_and_attributes(error: ObservatoryError, text: str, attributes: dict[str, object]) -> None:
    """An error says what is wrong, and carries it for programs."""
    assert str(error) == text
    assert {name: getattr(error, name) for name in attributes} == attributes


def test_one_tree() -> None:
    """Every error is an ObservatoryError."""
    classes = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, BaseException)]
    assert all(issubclass(item, ObservatoryError) for item in classes)


def test_nearest_name() -> None:
    """The nearest known name is suggested, else all are listed, else it is said that none is known."""
    assert errors.did_you_mean("mailbx", ["notes", "mailbox"]) == "did you mean 'mailbox'?"
    assert errors.did_you_mean("xyz", ["notes", "mailbox"]) == "known: mailbox, notes"
    assert errors.did_you_mean("xyz", []) == "none is known"


def test_one_line() -> None:
    """An error is described in one line; of a group, the first real one in it."""
    assert errors.one_line(ValueError("a\n b")) == "ValueError: a b"
    assert errors.one_line(ValueError()) == "ValueError"
    assert errors.one_line(ExceptionGroup("g", [ExceptionGroup("h", [OSError("disk")])])) == "OSError: disk"


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_are_declared(kind: type[ObservatoryError]) -> None:
    """What an error holds is declared with its class: that is what a client gets of it."""
    assigned = set(re.findall(r"self\.(\w+) = ", inspect.getsource(kind)))
    assert assigned <= set(get_type_hints(kind, localns={"Receipt": Receipt}))
