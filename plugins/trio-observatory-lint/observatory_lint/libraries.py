"""Libraries that mean persistence."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from observatory_lint.values import words

MAPPERS = words(
    """
    sqlalchemy sqlmodel django.db peewee pony tortoise ormar piccolo gino edgy mongoengine beanie odmantic neomodel
    pynamodb redis_om alembic aerich
    """
)
"""Object mappers and migrations."""

DRIVERS = words(
    """
    aiosqlite apsw duckdb psycopg psycopg2 asyncpg pg8000 aiopg pymysql MySQLdb aiomysql asyncmy mariadb oracledb pyodbc
    pymssql clickhouse_driver clickhouse_connect snowflake.connector pymongo motor redis valkey coredis pymemcache
    elasticsearch opensearchpy cassandra neo4j couchbase influxdb_client etcd3 google.cloud.firestore
    google.cloud.bigquery google.cloud.spanner
    """
)
"""Drivers of databases and caches."""

STORES = words(
    """
    lmdb plyvel rocksdb tinydb ZODB diskcache sqlitedict pickledb dataset chromadb qdrant_client weaviate pymilvus
    lancedb h5py zarr
    """
)
"""Embedded and vector stores."""

STANDARD = words("sqlite3 dbm shelve mailbox mmap")
"""What the standard library has of them."""

PERSISTENCE = MAPPERS | DRIVERS | STORES | STANDARD
"""All of them."""


class Libraries:
    """Tells which modules belong to a persistence library.

    Args:
        add: names besides the built-in ones.
        remove: names that are allowed after all; one below a library, such as `redis.exceptions`, allows that alone.
    """

    def __init__(self, add: Iterable[str] = (), remove: Collection[str] = ()) -> None:
        self._names = (PERSISTENCE | frozenset(add)) - frozenset(remove)
        self._allowed = frozenset(remove)
        self._tops = frozenset(name.partition(".")[0] for name in self._names)
        self.parents = frozenset(name.partition(".")[0] for name in self._names if "." in name)
        """Packages that have libraries among others, as `django` has `django.db`."""

    def match(self, module: str) -> str | None:
        """Return the library that a dotted name belongs to: that name, or what is above it; None if there is none."""
        if module.partition(".")[0] not in self._tops:
            return None
        name = module
        while name:
            if name in self._allowed:
                return None
            if name in self._names:
                return name
            name = name.rpartition(".")[0]
        return None

    def above(self, package: str) -> bool:
        """Return whether a persistence library stands below a name, as `django.db` does below `django`."""
        return any(name.startswith(f"{package}.") for name in self._names)
