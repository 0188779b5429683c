"""The storage backend `sqlite`: what was committed survives a power cut, in one file."""

# plugin      what Observatory loads: the hook and the settings class
# storage     SqliteStorage: batches in a worker thread, one at a time
# hop         to a worker thread and back; being cancelled can interrupt what runs there
# database    one connection: committing, replaying, giving back room
# opening     what is looked at before a database is used, and making a new one
# schema      the tables, and how an older database becomes the newest
# committing  a batch of entries as rows
# numbers     the numbers of messages, and where each message is
# replaying   rows as the values they were made of
# checks      what is wrong with the database, without opening it for use
# faults      SQLite's errors as `StorageError`: what is wrong, where, what to do
# settings    what can be set

from observatory_sqlite.settings import SqliteSettings
from observatory_sqlite.storage import SqliteStorage

__all__ = ["SqliteSettings", "SqliteStorage"]
