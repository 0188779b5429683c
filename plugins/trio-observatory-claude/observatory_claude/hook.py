"""The hook command: hands an event of Claude Code to the service of a root, and prints what that answers.

The agent waits for it. So it is run by its path, with `python -I -S`: it imports nothing of Observatory and little of
the standard library, and what only a running service needs is imported late. It ends with 0 whatever happens, within
`PATIENCE`; with no service it does nothing. `observatory doctor` tells of what it keeps to itself.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import sys

TYPE_CHECKING = False  # as type checkers know it; `typing` costs as much as all the rest
if TYPE_CHECKING:
    import ssl
    from socket import socket
    from typing import Any

PATIENCE = 0.4
"""Seconds that everything may take."""

_MAX_EVENT = 4 * 1024 * 1024
"""Bytes that the service takes."""

_MAX_ANSWER = 1024 * 1024
_MAX_FILE = 64 * 1024
_SAFE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def main(arguments: list[str]) -> None:
    """Hand over the event on standard input.

    Args:
        arguments: the root; who the session is, if it does not say so by the variable `OBSERVATORY_AGENT`; and how many
            seconds everything may take, if not `PATIENCE`.
    """
    try:
        seconds = float(arguments[2]) if len(arguments) > 2 else PATIENCE
        for ending in (signal.SIGALRM, signal.SIGINT):  # a person's Ctrl-C may come to the whole group
            signal.signal(ending, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        event = sys.stdin.buffer.read(_MAX_EVENT + 1)
        service = read_service(arguments[0]) if 0 < len(event) <= _MAX_EVENT else None
        if service is not None:
            status, answer = ask(service, arguments[1], event, seconds)
            if status == 200:
                os.write(1, answer)  # at once, so that there is all of it or nothing
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # whatever lies there, or answers: an agent must not hear of it


def read_service(root: str) -> dict[str, Any] | None:
    """Return what a service that runs on a root tells of itself; None where none runs.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a file that only its owner can have written and read, or is no service's.
    """
    try:
        folder = os.open(os.path.join(root, "observatory"), _SAFE | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        return _read(folder) if _is_locked(folder) else None  # else it was left behind, and may name anybody's port
    finally:
        os.close(folder)


def name_of_session(agent: str) -> str:
    """Return who a session is; that agent, if it does not say so itself.

    Raises:
        ValueError: it is called what nobody can be called.
    """
    name = os.environ.get("OBSERVATORY_AGENT") or agent
    if not name.isascii() or not set("._@+-").issuperset(letter for letter in name if not letter.isalnum()):
        raise ValueError(f"{name!r:.80} cannot be an agent's name: letters, digits and . _ @ + - can")
    return name


def ask(service: dict[str, Any], agent: str, body: bytes, seconds: float) -> tuple[int, bytes]:
    """Tell a service of an event, for so long at each step; return the status and the body of its answer.

    Args:
        service: what it tells of itself.
        agent: who the session is, if it does not say so itself.
        body: the event.
        seconds: how long each step may take.

    Raises:
        OSError: it cannot be reached.
        LookupError: it has no door for HTTP.
        ValueError: what answers does not speak HTTP, or breaks off; or the session's agent or token is none.
    """
    scheme, _, rest = service["doors"]["http"].partition("://")
    netloc = rest.partition("/")[0]
    token = os.environ.get("OBSERVATORY_TOKEN") or service["token"]
    if not (token.isascii() and token.isprintable()):
        raise ValueError("the token cannot stand in a header")
    name = name_of_session(agent).replace("+", "%2B")
    head = (
        f"POST /api/events?agent={name} HTTP/1.1\r\nHost: {netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with _connect(netloc, service.get("certificate") if scheme == "https" else None, seconds) as connection:
        connection.sendall(head.encode() + body)
        return _read_answer(connection)


def _connect(netloc: str, certificate: str | None, seconds: float) -> socket:
    import socket

    context = None if certificate is None else _context(certificate)
    host, _, port = netloc.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), seconds)
    return connection if context is None else context.wrap_socket(connection)


def _context(certificate: str) -> ssl.SSLContext:
    """Trust that certificate alone, whatever stands in it."""
    import ssl

    context = ssl.create_default_context(cadata=certificate)
    context.check_hostname = False
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _read_answer(connection: socket) -> tuple[int, bytes]:
    answer = b""
    while len(answer) <= _MAX_ANSWER:
        head, end, body = answer.partition(b"\r\n\r\n")
        if end:
            status, length = _read_head(head.decode("latin-1"))
            if len(body) >= length:
                return status, body[:length]
        part = connection.recv(65_536)
        if not part:
            raise ValueError("the answer breaks off")
        answer += part
    raise ValueError("the answer is too long")


def _read_head(head: str) -> tuple[int, int]:
    """Return the status, and how many bytes follow."""
    first, *lines = head.split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ")[1]), int(headers.get("content-length", "0"))


def _is_locked(folder: int) -> bool:
    try:
        lock = os.open("service.lock", _SAFE, dir_fd=folder)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)  # gives it back
    return False


def _read(folder: int) -> dict[str, Any]:
    import json

    file = os.open("service.json", _SAFE, dir_fd=folder)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.geteuid() != 0:
            raise ValueError("service.json is not a file that only its owner may use")
        service = json.loads(os.read(file, _MAX_FILE))
    finally:
        os.close(file)
    if not isinstance(service, dict):
        raise ValueError("service.json is no service's")
    return service


if __name__ == "__main__":
    main(sys.argv[1:])
