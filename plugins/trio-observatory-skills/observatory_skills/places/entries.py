"""What the entries of a package say of themselves, checked before anything is taken from them."""

from __future__ import annotations

import re
import stat
import unicodedata
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

from observatory_skills.errors import PackageError
from observatory_skills.places.access import LEFT_OUT, MAX_DEPTH, MAX_FILES

_MAX_NAME = 255  # bytes of a file's name, on the file systems there are
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED = 0x1 | 0x40 | 0x2000


def checked(where: str, infos: list[ZipInfo]) -> tuple[str, dict[str, ZipInfo]]:
    """Check the entries of a package, and leave out what is no part of a skill.

    Returns:
        The one folder that everything is in, and its files by their paths in it.

    Raises:
        PackageError: it is not one folder, or something in it is no file that may be written.
    """
    if len(infos) > MAX_FILES:
        raise PackageError(where, None, f"has more than {MAX_FILES} entries: remove some")
    names = _Names(where)
    files: dict[str, ZipInfo] = {}
    tops: set[str] = set()
    for info in infos:
        parts = _parts(where, info)
        _check_kind(where, info)
        if not LEFT_OUT.isdisjoint(parts):
            continue
        names.add(parts, info)
        tops.add(parts[0])
        if len(tops) > 1:
            raise PackageError(
                where, info.filename, f"lies outside of the one folder {min(tops)!r}: pack one skill only"
            )
        if not info.is_dir():
            if len(parts) == 1:
                raise PackageError(where, info.filename, "lies in no folder: pack the folder of the skill")
            files["/".join(parts[1:])] = info
    if not files:
        raise PackageError(where, None, "has no files")
    return tops.pop(), files


def _parts(where: str, info: ZipInfo) -> list[str]:
    """Return the folders that an entry lies in, and its own name."""
    name = info.orig_filename
    if "\0" in name or "\\" in name:
        raise PackageError(where, name, "has a backslash or a zero byte in its name")
    if name.startswith("/") or _DRIVE.match(name):
        raise PackageError(where, name, "has an absolute name")
    parts = name.removesuffix("/").split("/")
    if {"", ".", ".."}.intersection(parts):
        raise PackageError(where, name, "has a name that leads elsewhere")
    if parts[0].startswith("."):
        raise PackageError(where, name, "lies in a hidden folder, where skills are not looked for")
    if len(parts) > MAX_DEPTH or any(len(part.encode()) > _MAX_NAME for part in parts):
        raise PackageError(where, name, f"has more than {MAX_DEPTH} folders or {_MAX_NAME} bytes in its name")
    return parts


def _check_kind(where: str, info: ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        raise PackageError(where, info.filename, "is neither a file nor a folder: links and devices are not unpacked")
    if info.flag_bits & _ENCRYPTED:
        raise PackageError(where, info.filename, "is encrypted")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise PackageError(where, info.filename, "is compressed in another way than deflate")


class _Names:
    """What there is so far, as a file system sees it that knows neither case nor Unicode forms."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._seen: dict[str, tuple[str, bool]] = {}  # paths, and whether they are folders

    def add(self, parts: list[str], info: ZipInfo) -> None:
        """Add an entry, and the folders that it lies in.

        Raises:
            PackageError: another one would be in the same place, or there are too many.
        """
        for end in range(1, len(parts) + 1):
            is_folder = end < len(parts) or info.is_dir()
            new = "/".join(parts[:end]), is_folder
            first = self._seen.setdefault(_folded(new[0]), new)
            if first != new or not (first is new or is_folder):
                reason = "is there twice, or under names that are one on some systems"
                raise PackageError(self._where, info.filename, reason)
        if len(self._seen) > MAX_FILES:
            raise PackageError(
                self._where, info.filename, f"with it, there are more than {MAX_FILES} files and folders"
            )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())
