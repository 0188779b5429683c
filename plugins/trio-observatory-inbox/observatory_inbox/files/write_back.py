"""Having a file's data written to the disk, without the journal of the file system, which fsync waits for, too."""

from __future__ import annotations

import ctypes

_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
_WAIT_WRITE_WAIT = 7


def write_back(descriptor: int) -> None:
    """Wait until a file's data is written back, where the system can do that; nothing is promised by it.

    It spares what comes next: a rename over a file starts this, and other changes of the file system wait behind it.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_WAIT_WRITE_WAIT))
