"""What Observatory loads through the entry point `sqlite`."""

from __future__ import annotations

from observatory import Registrar, StorageFactory, hookimpl
from observatory_sqlite.settings import SqliteSettings
from observatory_sqlite.storage import SqliteStorage

settings_class = SqliteSettings


@hookimpl
def observatory_register_storage(registrar: Registrar[StorageFactory]) -> None:
    """Register the storage backend `sqlite`."""
    registrar.register("sqlite", SqliteStorage)
