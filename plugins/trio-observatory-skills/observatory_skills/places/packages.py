"""Skills that are packages: a zip with the folder of the skill in it."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
_MAX_READ = 4 * _MIB  # bytes of a directory of entries
_CHUNK = 64 * 1024
_WRONG = (BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error, zlib.error, OverflowError)


class Package:
    """A package that is open, and whose entries are safe.

    Attributes:
        folder: the name of the folder that everything is in.
        files: its entries by their paths in that.
        skill_file: which of these is SKILL.md.
        stamp: what tells whether the file has changed.
    """

    def __init__(self, where: str, archive: ZipFile, status: os.stat_result) -> None:
        self.folder, self.files = checked(where, archive.infolist())
        self.stamp = access.stamp_of(status)
        self._where = where
        self._archive = archive
        self._left = min(MAX_TOTAL, MAX_RATIO * status.st_size + FREE)
        present = [name for name in access.SKILL_FILES if name in self.files]
        if not present:
            raise PackageError(where, None, f"has no {self.folder}/{SKILL_FILE}")
        self.skill_file = present[0]

    def chunks(self, path: str) -> Iterator[bytes]:
        """Return what stands in a file, bit by bit, for as long as that is no bomb.

        Raises:
            PackageError: it is a bomb, or damaged.
        """
        info, limit = self.files[path], access.limit_of(path)
        with _explained(self._where, info.filename), self._archive.open(info) as file:
            while chunk := file.read(_CHUNK):
                limit -= len(chunk)
                self._left -= len(chunk)
                if limit < 0 or self._left < 0:
                    raise PackageError(self._where, info.filename, self._too_much(limit))
                yield chunk

    def _too_much(self, limit: int) -> str:
        if limit < 0:
            return f"has more than {access.MAX_RESOURCE // _MIB} MiB, or {access.MAX_SKILL // _MIB} as {SKILL_FILE}"
        return f"is a bomb: more than {MAX_RATIO} times the package, or {MAX_TOTAL // _MIB} MiB, come out"


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
    return scan.through(root, "", lambda entry: entry.name.endswith(SUFFIX) and entry.is_file())


def _look(location: str, scope: SkillScope) -> SkillFile:
    with open_package(location) as package:
        return SkillFile(package.folder, location, _head(package, access.MAX_HEAD), scope, package.stamp)


@contextmanager
def open_package(path: str) -> Iterator[Package]:
    """Open a package, and look at what its entries say of themselves.

    Raises:
        SkillSourceError: it cannot be read; a `PackageError`: it is not safe.
    """
    with _explained(path, None):
        descriptor, status = access.open_file(os.path.realpath(path))
        with _Bounded(descriptor, "rb") as file, ZipFile(file) as archive:
            yield Package(path, archive, status)


@contextmanager
def _explained(where: str, entry: str | None) -> Iterator[None]:
    try:
        yield
    except (SkillSourceError, UnknownNameError):
        raise
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
