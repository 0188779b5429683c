"""Values that are made quickly: nobody can tell them from those that their class makes."""

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from observatory import Event, Message, Receipt
from observatory.makers import maker

MESSAGE = Message("0" * 16, "ann", "bob", "hello", datetime(2026, 1, 1, tzinfo=UTC))
VALUES: list[tuple[type[Any], tuple[Any, ...]]] = [
    (Message, ("0" * 16, "ann", "bob", "hello", MESSAGE.timestamp)),
    (Event, ("agent:bob", "epoch", 1, MESSAGE)),
    (Receipt, (MESSAGE, 1, "memory", {})),
]


@pytest.mark.parametrize(("kind", "arguments"), VALUES)
def test_it_is_a_value_of_its_class(kind: type[Any], arguments: tuple[Any, ...]) -> None:
    """With the same defaults, and the same text; nothing else can be put on it."""
    value, usual = maker(kind)(*arguments), kind(*arguments)
    assert type(value) is kind
    assert value == usual
    assert repr(value) == repr(usual)
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize(("kind", "arguments"), VALUES)
def test_it_is_frozen(kind: type[Any], arguments: tuple[Any, ...]) -> None:
    """No field of it can be set or removed."""
    value, field = maker(kind)(*arguments), attrs.fields(kind)[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, field, "x")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delattr(value, field)


def test_it_can_be_copied() -> None:
    """By what knows nothing of how it was made."""
    value = maker(Message)(*VALUES[0][1])
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301
    assert copy.deepcopy(value) == copy.copy(value) == value
    assert attrs.evolve(value, read=True) == attrs.evolve(MESSAGE, read=True)
    assert hash(maker(Event)("health:update", "epoch", 1, None)) == hash(Event("health:update", "epoch", 1, None))


def test_arguments() -> None:
    """They are those of the class, by position and by name."""
    make = maker(Event)
    assert make("t", "e", sequence=1, payload=None, position=3) == Event("t", "e", 1, None, position=3)
    with pytest.raises(TypeError):
        make("t")  # type: ignore[call-arg]
