"""From the folder of a skill to a package: the same files always give the same bytes."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from observatory import SkillSourceError
from observatory_skills.errors import InvalidSkillError, PackageError
from observatory_skills.places.access import MAX_FILES, is_text, why
from observatory_skills.places.folders import opened, read_in, walk
from observatory_skills.places.packages import MAX_TOTAL, SUFFIX, open_package
from observatory_skills.validating import validate

_TIME = (1980, 1, 1, 0, 0, 0)  # the first one that a zip knows
_LEVEL = 9
_UNIX = 3


def pack(folder: str | os.PathLike[str], target: str | os.PathLike[str] | None = None) -> Path:
    """Make a package of a skill.

    What version control, Python and desktops leave behind is left out, and so are empty folders. The same files give
    the same bytes, with the same zlib. It reads and writes files: in a task, call it in a worker thread.

    Args:
        folder: the skill's folder.
        target: the package, which is replaced in one step when it is there, or a folder to put it into; by default it
            is put beside the skill.

    Returns:
        The package.

    Raises:
        InvalidSkillError: it is no valid skill.
        PackageError: there is something in it that does not go into a package, such as a link.
        SkillSourceError: it cannot be read, or the package not be written.
    """
    source = os.path.abspath(folder)
    package = _target(source, target)
    flaws = validate(source)
    if any(flaw.fatal for flaw in flaws):
        raise InvalidSkillError(source, flaws)
    hidden = package.with_name(f".{secrets.token_hex(8)}{SUFFIX}")
    try:
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with open(descriptor, "wb") as file:
            _write(source, file)
            file.flush()
            os.fsync(descriptor)
        _check(str(hidden), source)
        os.replace(hidden, package)
    except OSError as error:
        raise SkillSourceError(str(package), f"cannot be written: {why(error)}") from error
    finally:
        with suppress(OSError):
            os.unlink(hidden)
    return package


def _target(source: str, target: str | os.PathLike[str] | None) -> Path:
    name = os.path.basename(source) + SUFFIX
    path = Path(source).parent if target is None else Path(target)
    package = path / name if path.is_dir() else path
    if package.suffix != SUFFIX:
        raise PackageError(
            str(package), None, f"a package ends in {SUFFIX}: call it so, or name a folder that is there"
        )
    if Path(os.path.realpath(package.parent)).is_relative_to(os.path.realpath(source)):
        raise PackageError(str(package), None, "it would lie in the skill itself: put it elsewhere")
    return package


def _write(source: str, target: BinaryIO) -> None:
    folder = os.path.basename(source)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path, mode, data in _contents(source):
            info = ZipInfo(f"{folder}/{path}", _TIME)
            info.create_system = _UNIX
            info.external_attr = (stat.S_IFREG | (0o755 if mode & stat.S_IXUSR else 0o644)) << 16
            archive.writestr(info, data, ZIP_DEFLATED, _LEVEL)


def _contents(source: str) -> Iterator[tuple[str, int, bytes]]:
    """Return the paths of all files, in order, with their modes and what stands in them."""
    where = source
    try:
        with opened(source) as folder:
            for path, mode in _files(source, folder):
                where = os.path.join(source, path)
                yield path, mode, read_in(folder, path)
    except OSError as error:
        raise SkillSourceError(where, f"cannot be read: {why(error)}") from error


def _files(source: str, folder: int) -> list[tuple[str, int]]:
    """Return the paths of all files, in order, with their modes."""
    found: list[tuple[str, int]] = []
    total = 0
    for number, (path, status) in enumerate(walk(folder)):
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFLNK:
            raise PackageError(source, path, "is a link, which no package may have: put the file itself there")
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            raise PackageError(source, path, "is neither a file nor a folder: remove it")
        if not is_text(path):
            raise PackageError(source, path, "its name is no UTF-8: give it another one")
        if kind == stat.S_IFREG:
            found.append((path, status.st_mode))
            total += status.st_size
        if number >= MAX_FILES or total > MAX_TOTAL:
            reason = (
                f"with it, there are more than {MAX_FILES} files and folders, or {MAX_TOTAL >> 20} MiB: remove some"
            )
            raise PackageError(source, path, reason)
    return sorted(found)


def _check(package: str, source: str) -> None:
    """Unpack it, but to nowhere: what cannot be unpacked is not to be handed on."""
    with open_package(package, source) as opened_package:
        for path in opened_package.files:
            for _ in opened_package.chunks(path):
                pass
