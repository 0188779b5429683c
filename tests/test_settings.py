"""Settings: read from a file and from variables, strict about every key and kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from observatory.errors import SettingsError
from observatory.settings import (
    DeliverySettings,
    MailboxSettings,
    NotesSettings,
    Settings,
    StorageSettings,
    SupervisionSettings,
    SwarmSettings,
    load_settings,
)

PARTS = ["mailbox", "notes", "pubsub", "delivery", "storage", "supervision", "security", "plugins"]
KEYS = [
    "root",
    "disabled_plugins",
    *PARTS,
    "max_messages",
    "cleanup_age",
    "required",
    "backend",
    "hosts",
    "key",
    "inbox",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def from_environ(**variables: str) -> Settings:
    """Load settings from variables alone; the prefix is put before each name."""
    return load_settings(environ={f"OBSERVATORY_{name}": value for name, value in variables.items()})


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a directory without observatory.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestFile:
    """Reading observatory.toml."""

    def test_named(self, tmp_path: Path) -> None:
        """A file sets what it names and leaves the rest at its default."""
        file = tmp_path / "swarm.toml"
        file.write_text(
            'root = "/srv/swarm"\ndisabled_plugins = ["noisy"]\n'
            "[mailbox]\nmax_messages = 5\ncleanup_age = 60\n"
            '[delivery]\nrequired = ["inbox", "log"]\ndisabled = []\n'
            "[plugins.inbox]\nmax_file_bytes = 5\n"
        )
        assert load_settings(file, environ={}) == Settings(
            root="/srv/swarm",
            disabled_plugins=("noisy",),
            mailbox=MailboxSettings(max_messages=5, cleanup_age=60.0),
            delivery=DeliverySettings(required=["inbox", "log"], disabled=[]),
            plugins={"inbox": {"max_file_bytes": 5}},
        )

    def test_default(self, empty_directory: Path) -> None:
        """Without a name, observatory.toml of the current directory is read when it exists."""
        assert load_settings(environ={}) == Settings()
        (empty_directory / "observatory.toml").write_text("[notes]\nmax_notes = 3\n")
        assert load_settings(environ={}) == Settings(notes=NotesSettings(max_notes=3))

    def test_environment_of_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Variables are those of the process unless others are given."""
        monkeypatch.setenv("OBSERVATORY_NOTES__MAX_NOTES", "7")
        assert load_settings().notes.max_notes == 7

    def test_missing(self, tmp_path: Path) -> None:
        """A file that was named and does not exist is an error."""
        with pytest.raises(SettingsError, match=r"cannot be read: No such file.* in .*none\.toml"):
            load_settings(tmp_path / "none.toml", environ={})

    @pytest.mark.parametrize("content", [b"[mailbox", b"\xff\xfe", b"a = " + b"[" * 10_000])
    def test_no_toml(self, content: bytes, empty_directory: Path) -> None:
        """A file that is no TOML, no UTF-8 or nested beyond measure is an error that names it."""
        (empty_directory / "observatory.toml").write_bytes(content)
        with pytest.raises(SettingsError, match=r"is not TOML in UTF-8: .* in observatory\.toml"):
            load_settings(environ={})

    def test_names_the_file(self, empty_directory: Path) -> None:
        """A fault in the file names the file, also when variables are set."""
        (empty_directory / "observatory.toml").write_text("[mailbox]\nmax_messages = 0\n")
        with pytest.raises(SettingsError) as caught:
            from_environ(NOTES__MAX_NOTES="5")
        assert (
            str(caught.value) == "expected an integer of at least 1, got 0 @ $.mailbox.max_messages in observatory.toml"
        )

    def test_names_no_file_that_is_not_there(self) -> None:
        """Without a file, none is named."""
        with pytest.raises(SettingsError) as caught:
            from_environ(MAILBX="5")
        assert str(caught.value) == "unknown key; did you mean 'mailbox'? @ $.mailbx in OBSERVATORY_MAILBX"


class TestVariables:
    """Reading OBSERVATORY_* variables."""

    def test_wins(self, empty_directory: Path) -> None:
        """A variable wins over the file and leaves the rest of its table."""
        (empty_directory / "observatory.toml").write_text("[notes]\nmax_notes = 3\nmax_bytes = 4\n")
        assert from_environ(NOTES__MAX_NOTES="5").notes == NotesSettings(max_notes=5, max_bytes=4)

    @pytest.mark.parametrize("name", ["AGENT", "TOKEN"])
    def test_no_settings(self, name: str) -> None:
        """Who an agent is, and its secret, are variables of our name and no settings."""
        assert from_environ(**{name: "x"}) == from_environ()

    @pytest.mark.parametrize(
        ("text", "backend"),
        [("sqlite", "sqlite"), ('"5"', "5"), ("a\nb = 1", "a\nb = 1"), ('"a"\nb = 1', '"a"\nb = 1')],
    )
    def test_string(self, text: str, backend: str) -> None:
        """What is not one value of TOML is a string as it stands."""
        assert from_environ(STORAGE__BACKEND=text).storage.backend == backend

    @pytest.mark.parametrize("text", ["123", "2026-01-01", "true", "1.50", "[1]", "{}"])
    def test_text_like_another_value(self, text: str) -> None:
        """Where a path or a string is expected, the text itself counts, whatever else it could be."""
        settings = from_environ(ROOT=text, STORAGE__BACKEND=text)
        assert (settings.root.name, settings.storage.backend) == (text, text)

    def test_nested_beyond_measure(self) -> None:
        """A value that TOML cannot take for its depth is a string."""
        assert from_environ(STORAGE__BACKEND="[" * 10_000).storage.backend == "[" * 10_000

    def test_list(self) -> None:
        """A list is written as in TOML."""
        assert from_environ(DELIVERY__REQUIRED='["inbox"]').delivery.required == ("inbox",)

    def test_plugins(self) -> None:
        """A plugin's own settings are kept as they are: the plugin's class checks them."""
        assert from_environ(PLUGINS__INBOX__MAX_FILE_BYTES="x").plugins == {"inbox": {"max_file_bytes": "x"}}

    def test_token(self) -> None:
        """The token for clients of a service is no setting."""
        assert from_environ(TOKEN="secret") == Settings()

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("MAILBOX", "5", "expected a table, got an integer @ $.mailbox in OBSERVATORY_MAILBOX"),
            ("MAILBOX", "[]", "expected a table, got a list @ $.mailbox in OBSERVATORY_MAILBOX"),
            ("PLUGINS__X", "5", "expected a table, got an integer @ $.plugins.x in OBSERVATORY_PLUGINS__X"),
            (
                "MAILBOX",
                "{max_messages = -5}",
                "expected an integer of at least 1, got -5 @ $.mailbox.max_messages in OBSERVATORY_MAILBOX",
            ),
            (
                "MAILBOX__CLEANUP_INTERVAL",
                "nan",
                "expected a number above 0, got nan @ $.mailbox.cleanup_interval in ",
            ),
            (
                "DELIVERY__REQUIRED",
                "inbox",
                "expected a list, got a string @ $.delivery.required in OBSERVATORY_DELIVERY__REQUIRED",
            ),
            (
                "DELIVERY__DISABLED",
                '["log", 5]',
                "expected a string, got an integer @ $.delivery.disabled[1] in OBSERVATORY_DELIVERY__DISABLED",
            ),
            (
                "STORAGE__PATH",
                "x",
                "unknown key; known: backend; a storage backend's own settings stand in [plugins.NAME] @ $.storage.",
            ),
            ("MAILBOX__MAX_MESSAGE", "5", "unknown key; did you mean 'max_messages'? @ $.mailbox.max_message in "),
        ],
    )
    def test_faults(self, name: str, value: str, message: str) -> None:
        """A wrong key or kind is named with its path, what it is, what is allowed, and the variable."""
        with pytest.raises(SettingsError) as caught:
            from_environ(**{name: value})
        assert str(caught.value).startswith(message)

    def test_through_a_value(self) -> None:
        """A variable cannot go into what another one has set to a plain value."""
        with pytest.raises(SettingsError, match=r"expected a table, got an integer @ \$\.mailbox in .*__MAX_MESSAGES"):
            from_environ(MAILBOX="5", MAILBOX__MAX_MESSAGES="5")

    def test_strange_name(self) -> None:
        """A name with a line break stays on one line."""
        with pytest.raises(SettingsError) as caught:
            from_environ(**{"A\nB": "5"})
        assert "\n" not in str(caught.value)


class TestInPython:
    """Making settings in Python."""

    @pytest.mark.parametrize(
        ("kind", "values", "message"),
        [
            (Settings, {"mailbox": 5}, "expected MailboxSettings, got an integer @ $.mailbox"),
            (Settings, {"plugins": {"x": 1}}, "expected a table of tables, one for each plugin @ $.plugins"),
            (Settings, {"plugins": 5}, "expected a table of tables, one for each plugin @ $.plugins"),
            (DeliverySettings, {"required": "inbox"}, "expected a list of strings, got a string @ $.required"),
            (DeliverySettings, {"disabled": [5]}, "expected a list of strings, got a list @ $.disabled"),
            (StorageSettings, {"backend": None}, "expected a string, got null @ $.backend"),
            (NotesSettings, {"max_notes": 1.5}, "expected an integer of at least 1, got a number @ $.max_notes"),
            (NotesSettings, {"max_notes": True}, "expected an integer of at least 1, got a boolean @ $.max_notes"),
            (SupervisionSettings, {"drain": -1}, "expected a number of at least 0, got -1 @ $.drain"),
            (SupervisionSettings, {"window": 0}, "expected a number above 0, got 0 @ $.window"),
        ],
    )
    def test_faults(self, kind: type[Any], values: dict[str, Any], message: str) -> None:
        """A value of a wrong kind, or out of bounds, is refused where it is made."""
        with pytest.raises(SettingsError) as caught:
            kind(**values)
        assert str(caught.value) == message

    def test_frozen(self) -> None:
        """Settings do not change."""
        with pytest.raises(AttributeError):
            Settings().root = Path("/")  # type: ignore[misc]


class TestAnything:
    """Whatever comes in, settings or a clear error come out."""

    @given(table=st.sampled_from(PARTS), value=VALUES)
    def test_variable(self, table: str, value: Any) -> None:
        """Any value of a variable gives settings, or an error of one line that has a path."""
        error = fault_of(lambda: from_environ(**{table.upper(): as_toml(value)}))
        assert error is None or (error.path.startswith("$.") and len(str(error).splitlines()) == 1)

    @given(data=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3))
    def test_file(self, data: dict[str, Any]) -> None:
        """Any file gives settings, or an error of one line that names it."""
        Path("any.toml").write_text("".join(f"{key} = {as_toml(value)}\n" for key, value in data.items()), "utf-8")
        error = fault_of(lambda: load_settings("any.toml", environ={}))
        assert error is None or (error.source == "any.toml" and len(str(error).splitlines()) == 1)


def fault_of(load: Callable[[], Settings]) -> SettingsError | None:
    """Load settings; return the error, if there is one."""
    try:
        assert isinstance(load(), Settings)
    except SettingsError as error:
        return error
    return None


def as_toml(value: Any) -> str:
    """Write a value in TOML; null, which TOML lacks, as a date."""
    match value:
        case None:
            return "2026-11-21"
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case float():
            return str(value)
        case _:
            return json.dumps(value)


@pytest.mark.parametrize("checks", [7, {"disk": "df"}, {"disk": []}, {"disk": ["df", 7]}])
def test_checks_are_commands(checks: object) -> None:
    """A program that is a check is a list of strings."""
    with pytest.raises(SettingsError, match="a list of strings") as info:
        SwarmSettings(checks=checks)  # type: ignore[arg-type]
    assert info.value.path.startswith("$.checks")


def test_whether_the_swarm_is_followed() -> None:
    """That is true or false."""
    with pytest.raises(SettingsError, match="expected true or false, got a string"):
        SwarmSettings(follow="no")  # type: ignore[arg-type]
