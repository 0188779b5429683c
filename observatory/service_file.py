"""The file that tells clients of the service on a root. Blocking code, for worker threads.

While a service runs it holds a lock that cannot be shared, which the system gives back when its process ends, whichever
way. So a file that was left behind is known by a lock that can be shared.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import attrs

from observatory.clock import Clock
from observatory.errors import InvalidInputError, RootError, ServiceRunningError
from observatory.security import Security
from observatory.validators import count
from observatory.wire import from_wire, to_wire

_log = logging.getLogger("observatory.service")

_FOLDER = "observatory"
_FILE = "service.json"
_HALF_MADE = ".service.json.new"  # one name is enough: only who holds the lock writes
_LOCK = "service.lock"
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_SIZE = 64 * 1024
_ATTEMPTS = 50
_PAUSE = 0.02  # seconds; a second in all


@attrs.frozen
class ServiceInfo:
    """A service that runs on a root, as its file tells."""

    pid: int = attrs.field(validator=count(1))
    """Its process."""
    token: str = attrs.field(repr=False)
    """Its own token, which opens every door."""
    doors: Mapping[str, str]
    """The URL of each door by its name, such as `websocket`."""
    started: datetime
    """When it was started."""
    certificate: str | None = None
    """Its own certificate, as PEM, when its doors speak TLS: clients on this machine need to trust no other one."""


class _UnusableError(Exception):
    """The file is not one that only its owner can have written and read."""


def read_service(root: Path) -> ServiceInfo | None:
    """Find the service that runs on a root.

    Returns:
        None where no service runs: there is no file, or the process that wrote it is gone. None, too, and a line in the
        log, for a file that is a symbolic link, somebody else's (unless the superuser reads it), open to others, or no
        service's.
    """
    try:
        with _folder(root) as folder:
            return _read(folder) if _is_locked(folder) else None
    except FileNotFoundError:
        return None
    except (_UnusableError, OSError) as error:
        if os.path.lexists(os.path.join(root, _FOLDER)):  # a root that is none is for whoever opens it to tell of
            _log.warning("%s is not used: %s", os.path.join(root, _FOLDER, _FILE), _why(error))
        return None


class ServiceFile:
    """What a service tells its clients: the process, its doors, and the token that opens them.

    All doors of an Observatory share one. It is made in a task; its methods may be called in any thread.

    Args:
        root: the root, which exists.
        security: whose token it is.
        clock: wall time.
    """

    def __init__(self, root: Path, security: Security, clock: Clock) -> None:
        self._root = root
        self._security = security
        self._certificate: str | None = None
        self._started = clock.now()
        self._doors: dict[str, str] = {}
        self._lock = ExitStack()  # holds it while there are doors
        self._written: os.stat_result | None = None
        self._turn = threading.Lock()

    def announce(self, door: str, url: str) -> None:
        """Tell of a door, in a file that nobody but its owner can read at any moment.

        Raises:
            ServiceRunningError: another service runs on this root, in this process or in another one.
            RootError: it cannot be written.
            SettingsError: the certificate cannot be read.
        """
        try:
            with self._turn, _folder(self._root, make=True) as folder, ExitStack() as undo:
                if not self._doors:
                    descriptor = _take(folder)
                    if descriptor is None:
                        raise ServiceRunningError(str(self._root), _holder(folder))
                    self._lock.callback(os.close, descriptor)
                    undo.callback(self._lock.close)
                self._certificate = self._security.certificate()
                doors = {**self._doors, door: url}
                self._write(folder, doors)
                self._doors = doors
                undo.pop_all()
        except OSError as error:
            raise RootError(str(self._root), f"cannot hold {_FOLDER}/{_FILE}: {_why(error)}") from error

    def withdraw(self, door: str) -> None:
        """Tell of a door no more; with the last one, remove the file if it is still ours.

        What cannot be written or removed then is left, and stands in the log: it tells of nothing that runs.
        """
        with self._turn:
            if self._doors.pop(door, None) is None:
                return
            try:
                with _folder(self._root) as folder:
                    if self._doors:
                        self._write(folder, self._doors)
                    elif self._written is not None and _is_at(_FILE, folder, self._written):
                        os.unlink(_FILE, dir_fd=folder)
            except OSError as error:
                path = os.path.join(self._root, _FOLDER, _FILE)
                _log.warning("%s still tells of door %r: %s", path, door, _why(error))
            finally:
                if not self._doors:
                    self._lock.close()

    def _write(self, folder: int, doors: Mapping[str, str]) -> None:
        import orjson  # here, so that `import observatory` is quick

        info = ServiceInfo(os.getpid(), self._security.token, doors, self._started, self._certificate)
        data = orjson.dumps(to_wire(info))
        _remove(_HALF_MADE, folder)  # a crash has left it
        descriptor = os.open(_HALF_MADE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600, dir_fd=folder)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # whatever the umask
                file.write(data)
                file.flush()
                os.fsync(descriptor)
                os.rename(_HALF_MADE, _FILE, src_dir_fd=folder, dst_dir_fd=folder)
                self._written = os.fstat(descriptor)
        finally:
            _remove(_HALF_MADE, folder)


@contextmanager
def _folder(root: Path, *, make: bool = False) -> Iterator[int]:
    """Open the folder that the file lies in, which is made with 0700 whatever the umask."""
    path = os.path.join(root, _FOLDER)
    if make:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
            os.chmod(path, 0o700)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(folder: int) -> int | None:
    """Take the lock: return the descriptor that holds it, or None while another service does."""
    for _ in range(_ATTEMPTS):
        try:
            descriptor = _try_to_take(folder)
        except BlockingIOError:
            return None
        if descriptor is not None:
            return descriptor
        time.sleep(_PAUSE)
    return None


def _try_to_take(folder: int) -> int | None:
    """Take the lock, unless a reader shares it at the moment.

    Raises:
        BlockingIOError: a service holds it.
    """
    with ExitStack() as undo:
        descriptor = os.open(_LOCK, os.O_RDONLY | os.O_CREAT | _SAFE, 0o600, dir_fd=folder)
        undo.callback(os.close, descriptor)
        os.fchmod(descriptor, 0o600)  # whatever the umask
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        # Before it is held alone: from then on a reader takes what lies there for the holder's.
        _remove(_FILE, folder)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(_LOCK, folder, os.fstat(descriptor)):  # else somebody has removed it meanwhile
                undo.pop_all()
                return descriptor
    return None


def _is_locked(folder: int) -> bool:
    descriptor = os.open(_LOCK, os.O_RDONLY | _SAFE, dir_fd=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)  # gives it back
    return False


def _holder(folder: int) -> int | None:
    """Return the process that runs the service, as far as its file tells."""
    with suppress(OSError, _UnusableError):
        return _read(folder).pid
    return None


def _read(folder: int) -> ServiceInfo:
    """Read the file.

    Raises:
        OSError: it cannot be read.
        _UnusableError: it is not a service's own.
    """
    import orjson  # here, as above

    descriptor = os.open(_FILE, os.O_RDONLY | _SAFE, dir_fd=folder)
    try:
        _check_owner(os.fstat(descriptor))
        data = os.read(descriptor, _MAX_SIZE)
    finally:
        os.close(descriptor)
    try:
        return from_wire(orjson.loads(data), ServiceInfo)  # a later version may tell more
    except (ValueError, InvalidInputError) as error:
        raise _UnusableError(f"it is no service's: {error}") from error


def _check_owner(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _UnusableError("it is no file")
    if status.st_uid != os.geteuid() != 0:
        raise _UnusableError("it belongs to another user")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _UnusableError("others than its owner may use it")
    if status.st_size > _MAX_SIZE:
        raise _UnusableError(f"it has more than {_MAX_SIZE:,} bytes")


def _is_at(name: str, folder: int, status: os.stat_result) -> bool:
    """Return whether it is that file which has the name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(status, os.stat(name, dir_fd=folder, follow_symlinks=False))
    return False


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _why(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if error.errno == errno.ELOOP:  # what O_NOFOLLOW gives
        return "it, or its lock, is a symbolic link"
    return str(error.strerror)
