"""Reading and writing settings files: whole or not at all, and never over what somebody else has written meanwhile."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from observatory import quoted
from observatory_claude.errors import SettingsFileError
from observatory_claude.json_text import NotJsonError, check

MAX_BYTES = 16 * 1024 * 1024
"""Of a settings file."""

_BOM = "\ufeff"
_SPACE = f"{_BOM} \t\r\n"
"""What may stand around the object, a byte order mark included."""

_BACKUP = ".before-observatory"


@attrs.frozen
class SettingsFile:
    """A settings file, as it was read."""

    path: Path
    """As it is called."""
    place: Path
    """Where it lies: what a symbolic link leads to, which stays one."""
    data: bytes | None
    """What is in it; None for one that is not there."""
    mode: int = 0o600
    """Its permissions, which it keeps; a new one is its owner's alone."""

    @property
    def text(self) -> str:
        """The object in it, from brace to brace; an empty one where nothing is in it."""
        return self._whole.strip(_SPACE) or "{}"

    def with_text(self, text: str) -> bytes:
        """Return what is in it with another object, and the same around that."""
        whole = self._whole
        found = whole.strip(_SPACE)
        if not found:
            return (_BOM if whole.startswith(_BOM) else "").encode() + f"{text}\n".encode()
        head, _, tail = whole.partition(found)
        return (head + text + tail).encode()

    def value(self) -> Any:
        """Read it.

        Raises:
            NotJsonError: it is no JSON.
        """
        return check(self._whole.removeprefix(_BOM)) if self._whole.strip(_SPACE) else {}

    @property
    def _whole(self) -> str:
        return (self.data or b"").decode()

    @property
    def backup(self) -> Path:
        """Where it is kept as it was before it was connected."""
        return self.place.with_name(self.place.name + _BACKUP)

    def kept(self) -> bytes | None:
        """Return what it was before it was connected; None where that is not known.

        Raises:
            SettingsFileError: that cannot be read.
        """
        try:
            with open(os.open(self.backup, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SettingsFileError(str(self.backup), f"it cannot be read: {_why(error)}") from error


def read(path: Path) -> SettingsFile:
    """Read a settings file; one that is not there is as good as an empty one.

    Raises:
        SettingsFileError: it cannot be read, or is no JSON object.
    """
    try:
        place = path.resolve(strict=path.is_symlink())
        status = place.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsFileError(str(path), "it is no file; move it away")
        if status.st_size > MAX_BYTES:
            raise SettingsFileError(str(path), f"it has more than {MAX_BYTES:,} bytes")
        found = SettingsFile(path, place, place.read_bytes(), stat.S_IMODE(status.st_mode))
        value = found.value()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise SettingsFileError(str(path), f"it leads to {error.filename}, which is not there") from error
        return SettingsFile(path, path, None)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        raise SettingsFileError(str(path), f"it cannot be read: {_why(error)}") from error
    except UnicodeDecodeError as error:
        raise SettingsFileError(str(path), f"it is not UTF-8: byte {error.start + 1}; put that right") from error
    except NotJsonError as error:
        raise SettingsFileError(
            str(path), f"it is no JSON: {error}; nothing was changed, put that right first"
        ) from error
    if not isinstance(value, dict):
        raise SettingsFileError(str(path), "it is no JSON object")
    return found


def check_as_read(file: SettingsFile) -> None:
    """Check that a settings file may be written, and is what was read.

    Raises:
        SettingsFileError: it is not.
    """
    if read(file.path) != file:
        raise SettingsFileError(str(file.path), "it has changed meanwhile; try again")
    if file.data is not None and not file.mode & stat.S_IWUSR:
        raise SettingsFileError(
            str(file.path), f"it may not be written; if it shall be: chmod u+w {quoted(file.place)}"
        )


def write(file: SettingsFile, data: bytes | None, *, backup: bytes | None = None) -> None:
    """Put something else into it, or take it away (None).

    Args:
        file: as it was read.
        data: what it becomes.
        backup: what is kept beside it; None for nothing.

    Raises:
        SettingsFileError: it cannot be written, or is not what was read any more.
    """
    had_backup = os.path.lexists(file.backup)
    try:
        check_as_read(file)
        if backup is not None:
            _replace(file.backup, backup, file.mode)
        if data is None:
            file.place.unlink()
        else:
            file.place.parent.mkdir(exist_ok=True)
            _replace(file.place, data, file.mode)
        if backup is None:
            file.backup.unlink(missing_ok=True)
    except OSError as error:
        if not had_backup:
            with suppress(OSError):
                file.backup.unlink()  # of what has not changed
        raise SettingsFileError(str(file.path), f"it cannot be written: {_why(error)}") from error


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole."""
    half_made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(half_made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            with suppress(OSError):  # nobody was there, or nothing can be given to them: then it is ours
                os.fchown(descriptor, (before := path.stat()).st_uid, before.st_gid)
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.rename(half_made, path)
    finally:
        with suppress(FileNotFoundError):
            half_made.unlink()


def _why(error: Exception) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)
