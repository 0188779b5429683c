"""The laws that hold for every storage backend, and for every plugin."""

from __future__ import annotations

import resource

import pytest
from observatory_sqlite import SqliteStorage

from observatory import StorageBackend, StorageFactory
from observatory.testing import PluginConformance, StorageBackendConformance


class TestSqliteStorage(StorageBackendConformance):
    """The storage backend, on a root of its own for each law."""

    @pytest.fixture
    def backend_factory(self) -> StorageFactory:
        """Return what the plugin registers."""
        return SqliteStorage

    def break_storage(self, backend: StorageBackend) -> None:
        """Let no file of this process grow."""
        self.limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))

    def mend_storage(self, backend: StorageBackend) -> None:
        """Let files grow again."""
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, most))


class TestPlugin(PluginConformance):
    """The installed plugin."""

    @pytest.fixture
    def plugin_name(self) -> str:
        """Return the name of the entry point."""
        return "sqlite"
