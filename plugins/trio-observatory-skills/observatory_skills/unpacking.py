"""From a package to the folder of a skill: all of it or nothing, and nothing beside it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from observatory import SkillSourceError
from observatory_skills.errors import PackageError
from observatory_skills.exchange import exchange
from observatory_skills.places.access import SKILL_FILES, why
from observatory_skills.places.packages import Package, open_package

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack(file: str | os.PathLike[str], folder: str | os.PathLike[str], *, replace: bool = False) -> Path:
    """Make the folder of a skill from a package.

    Whatever happens, a power cut included, there is the old skill or the new one, as a whole. A process that is killed
    may leave a hidden folder behind, whose name begins with `.unpacking-`. It reads and writes files: in a task, call
    it in a worker thread.

    Args:
        file: the package.
        folder: where the skill's folder is put; it is made when it is not there.
        replace: whether a skill of the same name gives way.

    Returns:
        The skill's folder.

    Raises:
        PackageError: the package is not safe or not whole, or there is something of that name. Nothing was written.
        SkillSourceError: it cannot be read, or the skill not be written.
    """
    with open_package(os.fspath(file)) as package:
        target = os.path.join(os.path.abspath(folder), package.folder)
        _check_place(os.fspath(file), target, replace=replace)
        try:
            os.makedirs(folder, exist_ok=True)
            hidden = tempfile.mkdtemp(prefix=".unpacking-", dir=folder)
            try:
                made = os.path.join(hidden, package.folder)
                _write(package, made)
                _sync_folders(made)
                if replace and os.path.lexists(target):
                    exchange(made, target)
                else:
                    os.rename(made, target)
                _sync(os.path.dirname(target))
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
        except OSError as error:
            raise SkillSourceError(target, f"cannot be written: {why(error)}") from error
    return Path(folder, package.folder)


def _check_place(where: str, target: str, *, replace: bool) -> None:
    if not os.path.lexists(target):
        return
    if not replace:
        raise PackageError(where, None, f"{target!r} is there already: move it away, or replace it")
    if not any(os.path.isfile(os.path.join(target, name)) for name in SKILL_FILES):
        raise PackageError(where, None, f"{target!r} is there already and no skill: move it away")


def _write(package: Package, folder: str) -> None:
    os.mkdir(folder)
    for path, info in package.files.items():
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        executable = (info.external_attr >> 16) & stat.S_IXUSR
        descriptor = os.open(target, _NEW, 0o777 if executable else 0o666)
        with open(descriptor, "wb") as file:
            for chunk in package.chunks(path):
                file.write(chunk)
            file.flush()
            os.fsync(descriptor)


def _sync_folders(folder: str) -> None:
    for path, _, _ in os.walk(folder):
        _sync(path)


def _sync(folder: str) -> None:
    """Make durable what stands in a folder: else a power cut could lose the names of files that are there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
