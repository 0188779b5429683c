"""JSON shapes of errors: there and back with class, text and attributes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from observatory import (
    ClosedError,
    DeliveryError,
    InvalidInputError,
    MailboxFullError,
    Message,
    ObservatoryError,
    PolicyRefusedError,
    Receipt,
    error_from_wire,
    error_to_wire,
    errors,
    from_wire,
    to_wire,
)

ValuesOf: TypeAlias = Callable[[Any], st.SearchStrategy[Any]]

RECEIPT = Receipt(
    Message("0123456789abcdef", "a", "b", "text", datetime(2026, 1, 1, tzinfo=UTC)), 1, "memory", deliveries={}
)
ARGUMENTS: dict[type[ObservatoryError], tuple[Any, ...]] = {
    errors.ObservatoryError: (str,),
    errors.InvalidInputError: (str, str),
    errors.SettingsError: (str, str),
    errors.RootError: (str, str),
    errors.MailboxFullError: (str, str, int),
    errors.IdempotencyError: (str, str),
    errors.UnknownMessageError: (str, str),
    errors.UnknownNameError: (str, str, tuple[str, ...]),
    errors.PolicyRefusedError: (str, str),
    errors.StorageError: (str,),
    errors.NoActiveProjectError: (tuple[str, ...],),
    errors.SwarmSourceError: (str, str),
    errors.SkillSourceError: (str, str),
    errors.ChangedMeanwhileError: (str,),
    errors.TaskRefusedError: (str, str, str | None, str),
    errors.UnknownRecipientError: (str, tuple[str, ...]),
    errors.LeaseTakenError: (str, str, datetime),
    errors.LeaseLostError: (str,),
    errors.LeaseLimitError: (str, str, int),
    errors.UnreachableError: (str, str),
    errors.UnauthorizedError: (str,),
    errors.ForbiddenError: (str,),
    errors.RateLimitError: (str, float),
    errors.ServiceRunningError: (str, int),
    errors.OutcomeUnknownError: (str,),
    errors.DeliveryError: (Receipt,),
    errors.ClosedError: (str,),
    errors.SubscriptionOverflowError: (str, int),
    errors.PluginError: (str, str),
    errors.DuplicateNameError: (str, str),
    errors.CanonicalNameError: (str, str),
    errors.EssentialChildError: (str, str),
    errors.UnreachableError: (str, str),
    errors.UnauthorizedError: (str,),
    errors.ForbiddenError: (str,),
    errors.RateLimitError: (str | None, float),
    errors.ServiceRunningError: (str, int | None),
}


class QuotaError(PolicyRefusedError):
    """A plugin's own error, with an attribute that is nobody else's business."""

    def __init__(self) -> None:
        super().__init__("quota", "too much")
        self.connection = object()


class BareError(PolicyRefusedError):
    """A plugin's own error, without the attributes of its base."""

    def __init__(self) -> None:
        ObservatoryError.__init__(self, "no")


def sent(error: ObservatoryError) -> Any:
    """Return what is read by somebody to whom an error was sent as JSON."""
    return orjson.loads(orjson.dumps(error_to_wire(error)))


@pytest.mark.parametrize(
    "kind", [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_there_and_back(kind: type[ObservatoryError], values_of: ValuesOf, data: st.DataObject) -> None:
    """An error comes back with its class, its text and its attributes."""
    arguments = [data.draw(values_of(of)) for of in ARGUMENTS[kind]]
    if kind is DeliveryError:
        arguments.append(tuple(arguments[0].deliveries))
    error = kind(*arguments)
    back = error_from_wire(sent(error))
    assert (type(back), str(back), vars(back)) == (kind, str(error), vars(error))


def test_source() -> None:
    """An attribute that is seldom there comes back, too."""
    back: Any = error_from_wire(sent(errors.SettingsError("$", "is wrong", source="observatory.toml")))
    assert back.source == "observatory.toml"


def test_object() -> None:
    """The object has the name, the text and the attributes."""
    error = MailboxFullError("b", "mailbox.max_messages", 5)
    assert error_to_wire(error) == {
        "error": "MailboxFullError",
        "message": str(error),
        "fields": {"to": "b", "limit": "mailbox.max_messages"},
    }


def test_among_results() -> None:
    """An error among results is such an object, and comes back as an error."""
    results = [RECEIPT, ClosedError("closing")]
    assert to_wire(results)[1] == error_to_wire(ClosedError("closing"))
    receipt, error = from_wire(to_wire(results), list[Receipt | ObservatoryError])
    assert receipt == RECEIPT
    assert isinstance(error, ClosedError)


def test_receipt() -> None:
    """The receipt of what was not delivered is there."""
    back = error_from_wire(sent(DeliveryError(RECEIPT, ())))
    assert isinstance(back, DeliveryError)
    assert back.receipt == RECEIPT


def test_error_of_a_plugin() -> None:
    """A plugin's own error goes as the nearest one that everybody knows, with the attributes of that."""
    assert sent(QuotaError()) == sent(PolicyRefusedError("quota", "too much"))


@pytest.mark.parametrize(
    "data",
    [
        {"error": "UnheardOfError", "message": "no", "fields": {"a": 1}},
        {"error": "PolicyRefusedError", "message": "no", "fields": {"policy": "a"}},
        {"error": "PolicyRefusedError", "message": "no", "fields": {"policy": "a", "reason": 5}},
        sent(BareError()),
    ],
)
def test_other_version(data: Any) -> None:
    """What has an unknown name, or other attributes, is an ObservatoryError with the text."""
    back = error_from_wire(data)
    assert (type(back), str(back), vars(back)) == (ObservatoryError, "no", {})


def test_no_error() -> None:
    """What is no such object is refused, with its path."""
    with pytest.raises(InvalidInputError, match=r"^\$\.fields: expected a table, got a list$"):
        error_from_wire({"error": "ClosedError", "message": "", "fields": []})
