"""Putting one folder in the place of another in one step."""

from __future__ import annotations

import ctypes
import os
import secrets

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, and RENAME_SWAP of macOS


def exchange(one: str, other: str) -> None:
    """Give each of two folders the name of the other, so that at no moment there is none.

    Where the system cannot, such as on some network file systems, one is put aside for a moment.

    Raises:
        OSError: both are as they were.
    """
    if not _at_once(os.fsencode(one), os.fsencode(other)):
        aside = os.path.join(os.path.dirname(other), f".aside-{secrets.token_hex(8)}")
        os.rename(other, aside)
        try:
            os.rename(one, other)
        except BaseException:
            os.rename(aside, other)
            raise
        os.rename(aside, one)


def _at_once(one: bytes, other: bytes) -> bool:
    libc = ctypes.CDLL(None)
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(_HERE, one, _HERE, other, _EXCHANGE) == 0)
    return hasattr(libc, "renamex_np") and bool(libc.renamex_np(one, other, _EXCHANGE) == 0)
