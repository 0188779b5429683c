"""What Observatory loads through the entry point `sqlite`."""

from __future__ import annotations

from observatory import CheckFactory, Registrar, StorageFactory, hookimpl
from observatory_sqlite.checks import DatabaseCheck
from observatory_sqlite.settings import SqliteSettings
from observatory_sqlite.storage import SqliteStorage

settings_class = SqliteSettings


@hookimpl
def observatory_register_storage(registrar: Registrar[StorageFactory]) -> None:
    """Register the storage backend `sqlite`."""
    registrar.register("sqlite", SqliteStorage)


@hookimpl
def observatory_register_checks(registrar: Registrar[CheckFactory]) -> None:
    """Register the check `sqlite`."""
    registrar.register("sqlite", DatabaseCheck)
