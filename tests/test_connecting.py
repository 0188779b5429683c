"""Finding the client of a service that runs on a root."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from observatory import (
    Client,
    EmbeddedClient,
    InvalidInputError,
    Observatory,
    Security,
    ServiceFile,
    Settings,
    SettingsError,
    StorageSettings,
    TrioClock,
    find_client,
    open_observatory,
)
from observatory.testing import observatory_plugin

MakeSettings = Callable[..., Settings]


@contextmanager
def announced(settings: Settings, *doors: str) -> Iterator[None]:
    """Let a service with such doors run on a root."""
    settings.root.mkdir(exist_ok=True)
    file = ServiceFile(settings.root, Security(), TrioClock())
    for door in doors:
        file.announce(door, f"{door}://127.0.0.1:1/")
    try:
        yield
    finally:
        for door in doors:
            file.withdraw(door)


class Connectors:
    """A plugin whose connectors hand out a client of an Observatory at hand, and note for which root."""

    def __init__(self, observatory: Observatory | None, *doors: str) -> None:
        self.roots: list[tuple[str, Path]] = []
        self.identities: list[str | None] = []
        self._observatory = observatory
        self.plugin = observatory_plugin("connecting", connectors={door: self._connector(door) for door in doors})

    def _connector(self, door: str) -> Any:
        @asynccontextmanager
        async def connect(root: Path, identity: str | None) -> AsyncIterator[Client]:
            self.roots.append((door, root))
            self.identities.append(identity)
            assert self._observatory is not None
            yield EmbeddedClient(self._observatory)

        return connect


async def test_found(bare_settings: MakeSettings) -> None:
    """It opens the client of the door that a service has, and hands it the root."""
    settings = bare_settings()
    async with open_observatory(settings) as observatory:
        connectors = Connectors(observatory, "bell")
        with announced(settings, "bell"):
            found = await find_client(settings, plugins=[connectors.plugin])
        assert found is not None
        assert connectors.roots == [], "nothing is opened before somebody enters it"
        async with found as client:
            assert connectors.identities == [None]
            receipt = await client.mailbox.send_message("a", "b", "hello")
        assert observatory.mailbox.get_messages("a") == [receipt.message]
    assert connectors.roots == [("bell", settings.root)]


async def test_identity(bare_settings: MakeSettings) -> None:
    """It is opened as the agent that is named."""
    settings = bare_settings()
    async with open_observatory(settings) as observatory:
        connectors = Connectors(observatory, "bell")
        with announced(settings, "bell"):
            found = await find_client(settings, identity="agent-42", plugins=[connectors.plugin])
        assert found is not None
        async with found:
            assert connectors.identities == ["agent-42"]


async def test_first_door_with_a_connector(bare_settings: MakeSettings) -> None:
    """Of several doors, the first one counts that somebody has a connector for."""
    settings = bare_settings()
    async with open_observatory(settings) as observatory:
        connectors = Connectors(observatory, "second", "third")
        with announced(settings, "first", "second", "third"):
            found = await find_client(settings, plugins=[connectors.plugin])
        assert found is not None
        async with found:
            pass
    assert [door for door, _ in connectors.roots] == ["second"]


async def test_no_service(bare_settings: MakeSettings) -> None:
    """There is none where no service runs, whether or not the root is there."""
    settings = bare_settings()
    connectors = Connectors(None, "bell")
    assert await find_client(settings, plugins=[connectors.plugin]) is None
    with announced(settings, "bell"):
        pass
    assert await find_client(settings, plugins=[connectors.plugin]) is None


async def test_no_connector(bare_settings: MakeSettings) -> None:
    """There is none for a service whose doors nobody has a connector for."""
    settings = bare_settings()
    with announced(settings, "bell"):
        assert await find_client(settings, plugins=[Connectors(None, "gate").plugin]) is None
        assert await find_client(settings) is None


async def test_default_settings(bare_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By default it looks at the root of `Settings()`."""
    settings = bare_settings(root=tmp_path)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    connectors = Connectors(None, "bell")
    with announced(settings, "bell"):
        assert await find_client(plugins=[connectors.plugin]) is not None


async def test_wrong_settings(bare_settings: MakeSettings) -> None:
    """Settings that are none, or name what there is not, are refused."""
    with pytest.raises(InvalidInputError, match="settings: expected Settings, got str"):
        await find_client("settings")  # type: ignore[arg-type]
    settings = bare_settings(plugins={"bel": {}})
    with announced(settings, "bell"), pytest.raises(SettingsError, match="no plugin 'bel' is installed"):
        await find_client(settings)


async def test_wrong_plugins(bare_settings: MakeSettings) -> None:
    """Plugins that are none are refused, once a service runs."""
    settings = bare_settings(storage=StorageSettings())
    with announced(settings, "bell"), pytest.raises(InvalidInputError, match="plugins"):
        await find_client(settings, plugins="bell")
