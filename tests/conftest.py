"""What all tests of the core share."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from importlib.metadata import entry_points
from pathlib import Path
from types import NoneType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

import attrs
import pytest
import trio
from hypothesis import strategies as st

from observatory import Job, Outcome, Settings, SwarmSettings
from observatory.testing import RecordingChannel

MakeSettings: TypeAlias = Callable[..., Settings]


@pytest.fixture
def bare_settings(tmp_path: Path) -> MakeSettings:
    """Return what makes settings for a root of the test's own, with nothing but the core, whatever is installed."""
    installed = tuple(point.name for point in entry_points(group="observatory"))

    def bare_settings(*, disabled_plugins: tuple[str, ...] = (), **tables: Any) -> Settings:
        quiet: dict[str, Any] = {"root": tmp_path / "root", "swarm": SwarmSettings(follow=False)}
        return Settings(disabled_plugins=installed + disabled_plugins, **quiet | tables)

    return bare_settings


class GatedChannel(RecordingChannel):
    """Delivers only while its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = trio.Event()

    async def deliver(self, batch: Sequence[Job]) -> Sequence[Outcome]:
        """Wait at the gate, then deliver."""
        await self.gate.wait()
        return await super().deliver(batch)


@pytest.fixture
def gated_channel() -> GatedChannel:
    """Return a delivery channel whose gate is closed at first."""
    return GatedChannel()


@pytest.fixture
def failing_folders(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of folders that the disk fails to open, for as long as they stand in this set."""
    names: set[str] = set()
    open_file = os.open

    def open_or_fail(path: Any, *arguments: Any, **options: Any) -> int:
        if path in names:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_or_fail)
    return names


NOBODY = 65534


@pytest.fixture
def folder_without_rights(tmp_path: Path) -> Iterator[Path]:
    """Give a folder whose owner is not the superuser: a process of the test becomes that user.

    Whoever has no rights cannot pass through pytest's own folders.
    """
    if os.geteuid():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory() as folder:
        if not all(parent.stat().st_mode & stat.S_IXOTH for parent in Path(folder).parents):
            pytest.skip(f"{folder} cannot be reached by a user without rights")
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    Any: st.recursive(
        st.none() | st.booleans() | INTEGERS | FLOATS | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    str: st.text(),
    int: INTEGERS,
    bool: st.booleans(),
    float: FLOATS,
    NoneType: st.none(),
    datetime: st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC) | ZONES),
}


def generate(kind: Any) -> st.SearchStrategy[Any]:
    """Return what generates values of a kind, as JSON can hold them; Any stands for whatever JSON can hold."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind in VALUES:
        return VALUES[kind]
    if origin in (tuple, Iterable):
        return st.lists(generate(parts[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(st.text(), generate(parts[1]), max_size=3)
    if attrs.has(kind):
        fields = {name: generate(of) for name, of in get_type_hints(kind).items() if name in attrs.fields_dict(kind)}
        return st.builds(kind, **fields)
    return st.from_type(kind) if isinstance(parts[0], str) else st.one_of(*map(generate, parts))


@pytest.fixture(scope="session")
def values_of() -> Callable[[Any], st.SearchStrategy[Any]]:
    """Return what generates values of a kind."""
    return generate
