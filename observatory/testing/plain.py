"""What can be seen of the plain-module rule by looking at one class and watching it; a lint sees more."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from types import TracebackType
from typing import Any, Self

_NAMES = """
    sqlalchemy sqlmodel django peewee pony tortoise ormar piccolo gino edgy mongoengine beanie odmantic neomodel
    pynamodb redis_om alembic aerich
    aiosqlite apsw duckdb psycopg psycopg2 asyncpg pg8000 aiopg pymysql MySQLdb aiomysql asyncmy mariadb oracledb
    pyodbc pymssql clickhouse_driver clickhouse_connect snowflake pymongo motor redis valkey coredis pymemcache
    elasticsearch opensearchpy cassandra neo4j couchbase influxdb_client etcd3
    lmdb plyvel rocksdb tinydb ZODB diskcache sqlitedict pickledb dataset chromadb qdrant_client weaviate pymilvus
    lancedb h5py zarr
    sqlite3 dbm shelve mailbox mmap
"""
"""Packages that mean persistence: object mappers, drivers, embedded stores, and the standard library's."""

_PERSISTENCE = frozenset(_NAMES.split())

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate"})
_OPENS = frozenset({"socket.__new__", "sqlite3.connect", "subprocess.Popen", "_thread.start_new_thread", "os.fork"})


def lines_of(kind: type) -> int:
    """Return how many lines the file that defines a class has."""
    return len(_source_of(kind).splitlines())


def imported_persistence(kind: type) -> list[str]:
    """Return the persistence libraries that the file of a class imports, by any import statement in it."""
    return sorted({name for name in _imports_in(_source_of(kind)) if name.partition(".")[0] in _PERSISTENCE})


class Watch:
    """Sees, for the time of a block, what this process opens and what it writes to disk.

    Attributes:
        seen: what was opened, started or written: files, sockets, threads, processes.
        written: what of it changes files, or opens a database.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.written: list[str] = []
        self._watching = False

    def __enter__(self) -> Self:
        self._watching = True
        sys.addaudithook(self._hear)  # can never be removed; it is deaf after the block
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watching = False

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        writes = event in _CHANGES or event == "sqlite3.connect" or (event == "open" and bool(details[2] & _WRITING))
        if writes or event == "open" or event in _OPENS:
            self.seen.append(f"{event} {details[0]!r}" if details else event)
        if writes:
            self.written.append(self.seen[-1])

    _hear.__cantrace__ = True  # type: ignore[attr-defined]  # so that coverage is measured in it


def _source_of(kind: type) -> str:
    return inspect.getsource(sys.modules[kind.__module__])


def _imports_in(source: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return names
