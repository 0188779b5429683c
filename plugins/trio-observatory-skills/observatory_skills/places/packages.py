"""Skills that are packages: a zip with the folder of the skill in it."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from zipfile import BadZipFile, ZipFile

from observatory import SKILL_FILE, SkillFile, SkillScope, SkillSourceError, UnknownNameError
from observatory_skills.errors import PackageError
from observatory_skills.places import access
from observatory_skills.places.entries import checked
from observatory_skills.places.scanning import Found, Scan

SUFFIX = ".skill"
"""What packages end in."""
MAX_TOTAL = 256 * 1024 * 1024
"""Bytes of all files of a package together."""
MAX_RATIO = 100
"""How many times as large as the package its files may be, but for the first `FREE` bytes."""
FREE = 1024 * 1024
"""Bytes that may come out of a package however small it is."""

_MIB = 1024 * 1024
_MAX_READ = 2 * _MIB  # bytes of a directory of entries
_CHUNK = 64 * 1024
_WRONG = (BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error, zlib.error, OverflowError)


class Package:
    """A package that is open, and whose entries are safe.

    Attributes:
        folder: the name of the folder that everything is in.
        files: its entries by their paths in that.
        skill_file: which of these is SKILL.md.
        stamp: what tells whether the file has changed.

    Args:
        where: what it is called in errors.
        archive: the zip.
        status: what the system says of the file.

    Raises:
        PackageError: it is not safe.
    """

    def __init__(self, where: str, archive: ZipFile, status: os.stat_result) -> None:
        self.folder, self.files = checked(where, archive.infolist())
        self.stamp = access.stamp_of(status)
        self._where = where
        self._archive = archive
        self._out = 0
        self._most = min(MAX_TOTAL, MAX_RATIO * status.st_size + FREE)
        present = [name for name in access.SKILL_FILES if name in self.files]
        if not present:
            raise PackageError(where, None, f"has no {self.folder}/{SKILL_FILE}")
        self.skill_file = present[0]
        total = 0
        for path, info in self.files.items():
            self._check(path, info.file_size, total := total + info.file_size)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Return what stands in one of `files`, bit by bit, for as long as that is no bomb.

        Raises:
            PackageError: it is a bomb, or damaged.
        """
        info = self.files[path]
        size = 0
        with _explained(self._where, info.filename), self._archive.open(info) as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                self._out += len(chunk)
                self._check(path, size, self._out)
                yield chunk

    def _check(self, path: str, size: int, total: int) -> None:
        limit = access.limit_of(path)
        if size > limit:
            raise PackageError(self._where, self.files[path].filename, f"more than {limit // _MIB} MiB are too much")
        if total > self._most:
            reason = f"with it, more comes out than {MAX_TOTAL // _MIB} MiB or {MAX_RATIO} times the package: a bomb"
            raise PackageError(self._where, self.files[path].filename, reason)


class PackagePlace:
    """The files of a skill that is a package.

    Args:
        location: the path of the package.
    """

    def __init__(self, location: str) -> None:
        self._where = location

    def names(self) -> list[str]:
        """Return the paths of all files but SKILL.md, in order.

        Raises:
            SkillSourceError: it cannot be read; a `PackageError`: it is not safe.
        """
        with open_package(self._where) as package:
            return _resources(package)

    def read(self, path: str) -> bytes:
        """Return what stands in a file.

        Args:
            path: one of `names`, or SKILL.md.

        Raises:
            UnknownNameError: there is no such file.
            SkillSourceError: it cannot be read; a `PackageError`: it is not safe.
        """
        with open_package(self._where) as package:
            if path == SKILL_FILE:
                path = package.skill_file
            elif path not in (names := _resources(package)):
                raise UnknownNameError("resource", path, names)
            return b"".join(package.chunks(path))

    def read_head(self, limit: int) -> bytes:
        """Return the beginning of SKILL.md, as many bytes as that.

        Raises:
            SkillSourceError: it cannot be read; a `PackageError`: it is not safe.
        """
        with open_package(self._where) as package:
            return _head(package, limit)


def scan_packages(path: str, known: Iterable[SkillFile] = (), *, scope: SkillScope = "user") -> list[Found]:
    """Find the packages in a folder: those directly in it. A package may be given, too.

    It reads files: in a task, call it in a worker thread.

    Args:
        path: the folder, or the package.
        known: what was found before. What has not changed since is the same object, and costs one look.
        scope: whose they are.

    Raises:
        SkillSourceError: nothing can be told, as this process has run out of something.
    """
    root = os.path.abspath(path)
    scan = Scan(lambda location, name: scan.unchanged(location) or _look(location, scope), known)
    if os.path.isfile(root):
        found = scan.at(root, os.path.basename(root))
        return [] if found is None else [found]
    return scan.through(root, "", os.path.isfile, SUFFIX)


def _look(location: str, scope: SkillScope) -> SkillFile:
    with open_package(location) as package:
        return SkillFile(package.folder, location, _head(package, access.MAX_HEAD), scope, package.stamp)


@contextmanager
def open_package(path: str, where: str | None = None) -> Iterator[Package]:
    """Open a package, and look at what its entries say of themselves.

    Args:
        path: the package, which may be a link.
        where: what it is called in errors, if not by its path.

    Raises:
        SkillSourceError: it cannot be read; a `PackageError`: it is not safe.
    """
    where = path if where is None else where
    with ExitStack() as opened:
        with _explained(where, None):
            descriptor, status = access.open_file(os.path.realpath(path))
            file = opened.enter_context(_Bounded(descriptor, "rb"))
            package = Package(where, opened.enter_context(ZipFile(file)), status)
        yield package


@contextmanager
def _explained(where: str, entry: str | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SkillSourceError(where, f"cannot be read: {access.why(error)}") from error
    except _WRONG as error:
        what = "is no package" if entry is None else "is damaged"
        raise PackageError(where, entry, f"{what}: {str(error) or 'it is cut off'}") from error


class _Bounded(io.FileIO):
    """A file of which only so much is read at once: `ZipFile` reads all entries in one go, however many there are."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_READ:
            raise BadZipFile("it has too many entries")
        return super().read(size)


def _resources(package: Package) -> list[str]:
    return sorted(path for path in package.files if path != package.skill_file and access.is_resource(path))


def _head(package: Package, limit: int) -> bytes:
    head = b""
    for chunk in package.chunks(package.skill_file):
        head += chunk
        if len(head) >= limit:
            break
    return head[:limit]
