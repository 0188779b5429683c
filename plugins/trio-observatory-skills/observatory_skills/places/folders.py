"""Skills that are folders."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from observatory import SKILL_FILE, SkillFile, SkillScope, SkillSourceError, UnknownNameError
from observatory_skills.places import access
from observatory_skills.places.scanning import Found, Scan

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FIRST = 4096  # bytes that most frontmatters have room in
_END = re.compile(rb"\n---[ \t]*\r?\n")
_NO_SUCH = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}


class FolderPlace:
    """The files of a skill that is a folder.

    Folders are opened one in the other and links are not followed, so that nothing leads out of the skill, even when
    somebody puts a link there at the wrong moment.

    Args:
        location: the path of its SKILL.md. The folder itself may be a link.
    """

    def __init__(self, location: str) -> None:
        self._folder, self._skill_file = os.path.split(location)
        self._where = location

    def names(self) -> list[str]:
        """Return the paths of all files but SKILL.md, relative to the folder, with `/` between, in order.

        Raises:
            SkillSourceError: the folder cannot be read, or has too many files.
        """
        names: list[str] = []
        with self._explained(), opened(self._folder) as folder:
            for number, (path, status) in enumerate(walk(folder)):
                if number == access.MAX_FILES:
                    raise SkillSourceError(self._folder, f"has more than {number} files and folders: remove some")
                if stat.S_ISREG(status.st_mode) and path != self._skill_file and access.is_resource(path):
                    names.append(path)
        return sorted(names)

    def read(self, path: str) -> bytes:
        """Return what stands in a file.

        Args:
            path: one of `names`, or SKILL.md.

        Raises:
            UnknownNameError: there is no such file.
            SkillSourceError: it cannot be read.
        """
        data = self._read(path)
        if data is None:
            raise UnknownNameError("resource", path, self.names())
        return data

    def read_head(self, limit: int) -> bytes:
        """Return the beginning of SKILL.md, as many bytes as that.

        Raises:
            SkillSourceError: it cannot be read.
        """
        with self._explained():
            return access.read(access.open_file(self._where)[0], limit)

    def _read(self, path: str) -> bytes | None:
        if not access.is_resource(path) or SKILL_FILE != path == self._skill_file:
            return None
        with self._explained(path), opened(self._folder) as folder:
            try:
                return read_in(folder, self._skill_file if path == SKILL_FILE else path)
            except OSError as error:
                if error.errno in _NO_SUCH and path != SKILL_FILE:
                    return None
                raise

    @contextmanager
    def _explained(self, path: str = SKILL_FILE) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = self._where if path == SKILL_FILE else os.path.join(self._folder, path)
            raise SkillSourceError(where, f"cannot be read: {access.why(error)}") from error
        except ValueError as error:
            raise SkillSourceError(self._where, "no file can have that path") from error


def scan_folder(path: str, known: Iterable[SkillFile] = (), *, scope: SkillScope = "user") -> list[Found]:
    """Find the skills in a folder: itself when it is one, otherwise the folders of skills directly in it.

    It reads files: in a task, call it in a worker thread.

    Args:
        path: the folder. Folders in it may be links.
        known: what was found before. What has not changed since is the same object, and costs one look.
        scope: whose they are.

    Raises:
        SkillSourceError: nothing can be told, as this process has run out of something.
    """
    root = os.path.abspath(path)
    scan = Scan(lambda folder, name: _look(folder, name, scan, scope), known)
    itself = scan.at(root, os.path.basename(root))
    return scan.through(root, f"/{SKILL_FILE}", os.path.isdir) if itself is None else [itself]


def _look(folder: str, name: str, scan: Scan, scope: SkillScope) -> SkillFile | None:
    for file in access.SKILL_FILES:
        location = f"{folder}/{file}"
        try:
            os.lstat(location)
        except (FileNotFoundError, NotADirectoryError):
            continue
        unchanged = scan.unchanged(location)
        if unchanged is not None:
            return unchanged
        try:
            descriptor, status = access.open_file(location)
            return SkillFile(name, location, _read_head(descriptor), scope, access.stamp_of(status))
        except OSError as error:
            raise SkillSourceError(location, f"cannot be read: {access.why(error)}") from error
    return None


def _read_head(descriptor: int) -> bytes:
    try:
        head = os.read(descriptor, _FIRST)
        if len(head) == _FIRST and not _END.search(head):
            head += os.read(descriptor, access.MAX_HEAD - _FIRST)
        return head
    finally:
        os.close(descriptor)


def read_in(folder: int, path: str) -> bytes:
    """Read a file below a folder that is open, without following a link.

    Raises:
        OSError: it is missing, no regular file, too large, or cannot be read.
    """
    *folders, name = path.split("/")
    with _within(folder, folders) as parent:
        descriptor, _ = access.open_file(name, within=parent)
    limit = access.limit_of(path)
    data = access.read(descriptor, limit + 1)
    access.check_size(len(data), limit)
    return data


def walk(folder: int, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, os.stat_result]]:
    """Go through what lies in a folder that is open, and in the folders in it: relative paths, and what is there.

    Raises:
        OSError: a folder cannot be read, or lies too deep.
    """
    if depth > access.MAX_DEPTH:
        raise OSError(errno.ENAMETOOLONG, f"more than {access.MAX_DEPTH} folders lie in each other: make it flatter")
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone meanwhile
            path = prefix + entry.name
            if not access.counts([entry.name]):
                continue
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                with _within(folder, [entry.name]) as below:
                    yield from walk(below, f"{path}/", depth + 1)


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Open a folder, which may be a link."""
    descriptor = os.open(path, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _within(folder: int, names: list[str]) -> Iterator[int]:
    """Open a folder below another one, without following a link."""
    descriptor = os.dup(folder)
    try:
        for name in names:
            below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)
