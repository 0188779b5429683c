"""Follows recorded system calls: what they change below a folder, and what was noted meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import attrs

from .model import Change, File, Folder, Name, Remove, Rename, Resize, Sync, Write
from .trace import Argument, Call, read_calls

Node: TypeAlias = File | Folder


@attrs.define
class _Descriptor:
    node: Node | PurePosixPath
    """What is open; a path, when it is not below the folder."""
    flags: str
    offset: int = 0


class Recorder:
    """Follows the files below a folder, through one process after the other.

    What it does not know how to follow it does not pass over: then it fails.

    Attributes:
        top: the folder; it was empty before the first process.
        changes: what the processes have done.
        noted: what they have written into the log, each with how many changes had ended before.

    Args:
        folder: its path, without symbolic links.
        log: the path of the log, elsewhere.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self.top = Folder()
        self.changes: list[Change] = []
        self.noted: list[tuple[int, bytes]] = []
        self._folder = PurePosixPath(folder)
        self._log = PurePosixPath(log)
        self._names: dict[Folder, dict[str, Node]] = {self.top: {}}
        self._sizes: dict[File, int] = {}
        self._open: dict[int, _Descriptor] = {}

    def follow(self, lines: Iterable[str]) -> None:
        """Take in what was recorded of a process."""
        self._open.clear()
        begun: set[int] = set()
        for call in read_calls(lines):
            if id(call) not in begun:
                begun.add(id(call))
                self._begin(call)
            else:
                begun.remove(id(call))
                if call.result is not None:
                    self._end(call, call.result)

    def _begin(self, call: Call) -> None:
        call.before = len(self.changes)
        if call.name == "close":  # at once: another thread may be given the number before this has returned
            self._open.pop(int(call.text.partition(")")[0]), None)

    def _end(self, call: Call, result: int) -> None:
        match call.name, call.arguments:
            case "close", _:
                pass
            case "openat", [at, path, flags, *_]:
                self._open_file(at, path, str(flags), result)
            case "open", [path, flags, *_]:
                self._open_file("", path, str(flags), result)
            case "write", [descriptor, bytes() as data, _]:
                self._write(descriptor, data[:result], call)
            case "pwrite64", [descriptor, bytes() as data, _, offset]:
                self._write_at(descriptor, data[:result], int(str(offset)))
            case "ftruncate", [descriptor, size]:
                self._resize(self._node(descriptor), int(str(size)))
            case "fsync" | "fdatasync", [descriptor]:
                if not isinstance(node := self._node(descriptor), PurePosixPath):
                    self.changes.append(Sync(node, call.before))
            case "syncfs" | "sync", _:
                self.changes.append(Sync(None, call.before))
            case "lseek", [descriptor, *_]:
                if number(descriptor) in self._open:
                    self._open[number(descriptor)].offset = result
            case "dup" | "dup2" | "dup3", [descriptor, *_]:
                self._duplicate(descriptor, result)
            case "fcntl", [descriptor, operation, *_]:
                if str(operation).startswith("F_DUPFD"):
                    self._duplicate(descriptor, result)
            case _:
                self._end_naming(call)

    def _end_naming(self, call: Call) -> None:
        match call.name, call.arguments:
            case "mkdirat", [at, path, _]:
                self._give_name(at, path, Folder())
            case "mkdir", [path, _]:
                self._give_name("", path, Folder())
            case "linkat", [old_at, old, at, path, _]:
                self._give_name(at, path, self._find(old_at, old))
            case "link", [old, path]:
                self._give_name("", path, self._find("", old))
            case "unlinkat", [at, path, _]:
                self._remove(at, path)
            case "unlink" | "rmdir", [path]:
                self._remove("", path)
            case "renameat" | "renameat2", [old_at, old, at, path] | [old_at, old, at, path, "0" | "RENAME_NOREPLACE"]:
                self._rename(old_at, old, at, path)
            case "rename", [old, path]:
                self._rename("", old, "", path)
            case "mmap", [_, _, protection, flags, descriptor, _]:
                writes = "SHARED" in str(flags) and "WRITE" in str(protection)
                assert not (writes and self._is_ours(descriptor)), f"cannot be followed: {call}"
            case "clone" | "clone3", _:
                assert "CLONE_THREAD" in call.text, f"a process of its own: {call}"
            case _:
                assert not any(map(self._is_ours, call.arguments)), f"cannot be followed: {call}"

    def _open_file(self, at: Argument, path: Argument, flags: str, result: int) -> None:
        if "O_TMPFILE" in flags:
            node: Node | PurePosixPath = File() if isinstance(self._find(at, path), Folder) else self._path(at, path)
        else:
            node = self._find(at, path)
            if isinstance(node, PurePosixPath) and not isinstance(self._place(at, path), PurePosixPath):
                assert "O_CREAT" in flags, f"{node} was made by somebody else"
                node = File()
                self._give_name(at, path, node)
        if "O_TRUNC" in flags and isinstance(node, File) and self._sizes.get(node):
            self._resize(node, 0)
        self._open[result] = _Descriptor(node, flags)

    def _write(self, descriptor: Argument, data: bytes, call: Call) -> None:
        opened = self._open.get(number(descriptor))
        if opened is None:
            return
        if opened.node == self._log:
            self.noted.append((call.before, data))
        elif isinstance(opened.node, File):
            assert "O_RDWR" not in opened.flags, f"what was read before is not known: {call}"
            start = self._sizes.get(opened.node, 0) if "O_APPEND" in opened.flags else opened.offset
            self._write_at(descriptor, data, start)
            opened.offset = start + len(data)

    def _write_at(self, descriptor: Argument, data: bytes, offset: int) -> None:
        file = self._node(descriptor)
        if isinstance(file, File):
            self._sizes[file] = max(self._sizes.get(file, 0), offset + len(data))
            self.changes.append(Write(file, offset, data))

    def _resize(self, file: Node | PurePosixPath, size: int) -> None:
        if isinstance(file, File):
            self._sizes[file] = size
            self.changes.append(Resize(file, size))

    def _duplicate(self, descriptor: Argument, result: int) -> None:
        if number(descriptor) in self._open:
            self._open[result] = self._open[number(descriptor)]

    def _give_name(self, at: Argument, path: Argument, node: Node | PurePosixPath) -> None:
        place = self._place(at, path)
        if isinstance(place, PurePosixPath):
            return
        assert not isinstance(node, PurePosixPath), f"{node} comes from elsewhere"
        folder, name = place
        self._names[folder][name] = node
        if isinstance(node, Folder):
            self._names.setdefault(node, {})
        self.changes.append(Name(folder, name, node))

    def _remove(self, at: Argument, path: Argument) -> None:
        place = self._place(at, path)
        if not isinstance(place, PurePosixPath):
            folder, name = place
            del self._names[folder][name]
            self.changes.append(Remove(folder, name))

    def _rename(self, old_at: Argument, old: Argument, at: Argument, path: Argument) -> None:
        old_place, place = self._place(old_at, old), self._place(at, path)
        if isinstance(old_place, PurePosixPath) and isinstance(place, PurePosixPath):
            return
        assert not isinstance(old_place, PurePosixPath), f"{old_place} comes from elsewhere"
        assert not isinstance(place, PurePosixPath), f"{place} goes elsewhere"
        (old_folder, old_name), (folder, name) = old_place, place
        node = self._names[folder][name] = self._names[old_folder].pop(old_name)
        self.changes.append(Rename(old_folder, old_name, folder, name, node))

    def _is_ours(self, argument: Argument) -> bool:
        if isinstance(argument, bytes):
            return not isinstance(self._place("", argument), PurePosixPath)
        return argument.isdecimal() and not isinstance(self._node(argument), PurePosixPath)

    def _node(self, descriptor: Argument) -> Node | PurePosixPath:
        opened = self._open.get(number(descriptor))
        return PurePosixPath("/") if opened is None else opened.node

    def _find(self, at: Argument, path: Argument) -> Node | PurePosixPath:
        """Return what is at a path; the path, when that is elsewhere or there is nothing yet."""
        place = self._place(at, path)
        if isinstance(place, PurePosixPath):
            if str(place.parent) == "/proc/self/fd":
                return self._node(place.name)
            return place
        folder, name = place
        return self._names[folder].get(name, self._path(at, path)) if name else folder

    def _place(self, at: Argument, path: Argument) -> tuple[Folder, str] | PurePosixPath:
        """Return the folder and the name that a path stands for; the path, when it is elsewhere."""
        whole = self._path(at, path)
        base = PurePosixPath("/") if whole.is_absolute() else self._node(at)
        if isinstance(base, PurePosixPath):
            if not whole.is_relative_to(self._folder):
                return whole
            base, whole = self.top, whole.relative_to(self._folder)
        assert isinstance(base, Folder), f"{path!r} is in no folder"
        for part in whole.parts[:-1]:
            inner = self._names[base][part]
            assert isinstance(inner, Folder), f"{path!r} leads through a file"
            base = inner
        return base, whole.name

    def _path(self, at: Argument, path: Argument) -> PurePosixPath:
        """Return a path: absolute, unless it is relative to one of our folders."""
        assert isinstance(path, bytes), f"no path: {path}"
        relative = PurePosixPath(path.decode(errors="surrogateescape"))
        base = self._node(at) if at and at != "AT_FDCWD" else PurePosixPath("/.")
        return base / relative if isinstance(base, PurePosixPath) else relative


def number(descriptor: Argument) -> int:
    """Return a descriptor's number."""
    return int(str(descriptor), 0) if str(descriptor).isdecimal() else -1
