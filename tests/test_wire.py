"""JSON shapes: messages go out and come back, and settings classes are filled strictly."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import attrs
import orjson
import pytest

from observatory.errors import InvalidInputError, SettingsError
from observatory.messages import Message, Metadata
from observatory.wire import from_wire, structure_settings, to_wire

MESSAGE = Message(
    id="0123456789abcdef",
    from_="dashboard",
    to="agent-42",
    content="hällo",
    timestamp=datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC),
    metadata={"files": ["a.py"], "depth": 2},
)
WIRE = to_wire(MESSAGE)


@attrs.frozen
class Retry:
    """A table inside of a plugin's table."""

    times: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    from_: str = ""


@attrs.frozen
class Plugin:
    """A plugin's settings, with a value of every kind."""

    durability: Literal["flushed", "fsynced"] = "flushed"
    level: Literal[1, 2] = 1
    folder: Path = Path("x")
    names: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    retries: list[Retry] = attrs.field(factory=list)
    weights: Mapping[str, float] = attrs.field(factory=dict)
    retry: Retry = Retry()
    pair: tuple[int, str] = (1, "a")
    flag: bool = False
    since: datetime | None = None
    code: str = attrs.field(default="a", validator=attrs.validators.max_len(3))
    digits: str = attrs.field(default="1", validator=attrs.validators.matches_re(r"\d+"))


@attrs.frozen
class Odd:
    """A settings class with a kind that no file can fill."""

    either: int | str = 1


@attrs.frozen
class Mute:
    """A settings class whose check says nothing."""

    value: int = attrs.field()

    @value.validator
    def _check(self, attribute: Any, value: int) -> None:
        raise ValueError


class TestMessages:
    """Messages on the wire."""

    def test_fields(self) -> None:
        """A message goes out with the eight names of UC-0051, as JSON can hold it."""
        assert orjson.loads(orjson.dumps(WIRE)) == {
            "id": "0123456789abcdef",
            "from": "dashboard",
            "to": "agent-42",
            "content": "hällo",
            "timestamp": "2026-11-21T10:00:00.123456+00:00",
            "type": "text",
            "read": False,
            "metadata": {"files": ["a.py"], "depth": 2},
        }

    def test_back(self) -> None:
        """What went out comes back equal."""
        assert from_wire(orjson.loads(orjson.dumps(WIRE)), Message) == MESSAGE

    def test_defaults(self) -> None:
        """Type, read and metadata have defaults."""
        required = {key: WIRE[key] for key in ("id", "from", "to", "content", "timestamp")}
        message = from_wire(required, Message)
        assert (message.type, message.read, message.metadata) == ("text", False, {})

    def test_unknown_fields(self) -> None:
        """Fields of another version are left out."""
        assert from_wire({**WIRE, "colour": "red"}, Message) == MESSAGE

    def test_offset(self) -> None:
        """A time of another offset becomes the same moment in UTC."""
        message = from_wire({**WIRE, "timestamp": "2026-11-21T12:00:00.123456+02:00"}, Message)
        assert message == MESSAGE
        assert message.timestamp.utcoffset() == timedelta(0)

    def test_time_as_it_is(self) -> None:
        """A time that is a datetime already is taken."""
        assert from_wire({**WIRE, "timestamp": MESSAGE.timestamp}, Message) == MESSAGE

    def test_metadata(self) -> None:
        """Metadata come back as read-only as they were."""
        assert type(from_wire(WIRE, Message).metadata) is Metadata

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"from": 5}, "$.from: expected a string, got an integer"),
            ({"read": 1}, "$.read: expected true or false, got an integer"),
            ({"metadata": []}, "$.metadata: expected a table, got a list"),
            ({"metadata": {5: 1}}, "$.metadata[5]: expected a string, got an integer"),
            ({"timestamp": 5}, "$.timestamp: expected a time in ISO 8601, got an integer"),
            ({"timestamp": "now"}, "$.timestamp: Invalid isoformat string: 'now'"),
            ({"timestamp": "2026-11-21T10:00:00"}, "$.timestamp: expected a time with an offset, such as "),
        ],
    )
    def test_faults(self, change: dict[Any, Any], message: str) -> None:
        """A field of a wrong kind is named."""
        with pytest.raises(InvalidInputError) as caught:
            from_wire({**WIRE, **change}, Message)
        assert str(caught.value).startswith(message)

    def test_missing(self) -> None:
        """A field that is missing is named."""
        with pytest.raises(InvalidInputError, match=r"\$\.id: required, but missing"):
            from_wire({key: value for key, value in WIRE.items() if key != "id"}, Message)

    def test_no_object(self) -> None:
        """What is no JSON object is no message."""
        with pytest.raises(InvalidInputError, match=r"\$: expected a table, got a list"):
            from_wire([], Message)


class TestSettings:
    """Settings classes of plugins."""

    def test_every_kind(self) -> None:
        """Each kind is taken as TOML writes it."""
        assert structure_settings(
            {
                "durability": "fsynced",
                "level": 2,
                "folder": "/srv",
                "names": ["a", "b"],
                "tags": ["a", "a"],
                "retries": [{"times": 1}],
                "weights": {"a": 1},
                "retry": {"times": 2},
                "pair": [2, "b"],
                "flag": True,
                "since": datetime(2026, 1, 1, tzinfo=UTC),
            },
            Plugin,
        ) == Plugin(
            durability="fsynced",
            level=2,
            folder=Path("/srv"),
            names=("a", "b"),
            tags=frozenset({"a"}),
            retries=[Retry(1)],
            weights={"a": 1.0},
            retry=Retry(2),
            pair=(2, "b"),
            flag=True,
            since=datetime(2026, 1, 1, tzinfo=UTC),
        )

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({"durability": "fsync"}, "expected one of 'flushed', 'fsynced', got 'fsync' @ $.durability"),
            ({"durability": ["z"]}, "expected one of 'flushed', 'fsynced', got a list @ $.durability"),
            ({"level": True}, "expected one of 1, 2, got True @ $.level"),
            ({"folder": 5}, "expected a path, got an integer @ $.folder"),
            ({"folder": "~nobody-of-that-name/x"}, "has a '~' that stands for no home directory: "),
            ({"names": "ab"}, "expected a list, got a string @ $.names"),
            ({"names": ["a", 1.5]}, "expected a string, got a number @ $.names[1]"),
            ({"tags": {"a": 1}}, "expected a list, got a table @ $.tags"),
            (
                {"retries": [{"times": date(2026, 1, 1)}]},
                "expected an integer, got a date or time @ $.retries[0].times",
            ),
            ({"retries": [5]}, "expected a table, got an integer @ $.retries[0]"),
            ({"weights": {"a b": "1"}}, "expected a number, got a string @ $.weights['a b']"),
            ({"weights": {"a": True}}, "expected a number, got a boolean @ $.weights.a"),
            ({"weights": {"a": 10**400}}, "expected a number, got an integer that is too large for one @ $.weights.a"),
            ({"retry": {"times": 0}}, "'times' must be >= 1: 0 @ $.retry"),
            ({"retry": {"form": 0}}, "unknown key; did you mean 'from'? @ $.retry.form"),
            ({"retry": {"tims": 0}}, "unknown key; did you mean 'times'? @ $.retry.tims"),
            ({"retry": object()}, "expected a table, got a value of class object @ $.retry"),
            ({"pair": [1]}, "Not enough values in [1] to structure as tuple[int, str] @ $.pair"),
            ({"flag": None}, "expected true or false, got null @ $.flag"),
            ({"code": "abcd"}, "Length of 'code' must be <= 3: 4 @ $"),
            ({"digits": "x"}, "'digits' must match regex '\\\\d+' ('x' doesn't) @ $.digits"),
            ({5: 1}, "unknown key; known: "),
        ],
    )
    def test_faults(self, data: dict[Any, Any], message: str) -> None:
        """A fault is named with what is allowed and with its path."""
        with pytest.raises(SettingsError) as caught:
            structure_settings(data, Plugin)
        assert str(caught.value).startswith(message)

    def test_path_and_source(self) -> None:
        """The path begins where the table stands, and the source is named."""
        with pytest.raises(SettingsError) as caught:
            structure_settings({"nams": 5}, Plugin, path="$.plugins.example", source="observatory.toml")
        assert str(caught.value) == "unknown key; did you mean 'names'? @ $.plugins.example.nams in observatory.toml"

    def test_kind_that_cannot_be_filled(self) -> None:
        """A settings class with a kind that no file can fill is an error of ours."""
        with pytest.raises(SettingsError, match=r"Unsupported type: int \| str.* @ \$"):
            structure_settings({"either": 5}, Odd)

    def test_check_without_words(self) -> None:
        """An error without words is named by its class."""
        with pytest.raises(SettingsError, match=r"^ValueError @ \$$"):
            structure_settings({"value": 5}, Mute)

    def test_a_value_is_not_shown(self) -> None:
        """A value of a wrong kind may be a secret and is not shown."""
        with pytest.raises(SettingsError) as caught:
            structure_settings({"flag": "hunter2"}, Plugin)
        assert "hunter2" not in str(caught.value)
