"""Reads what `strace` has recorded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import attrs

_CALLS = (
    "?open,?openat,?openat2,?creat,?close,?dup,?dup2,?dup3,?fcntl,?lseek,?mmap,?fork,?vfork,?clone,?clone3,"
    "?write,?writev,?pwrite64,?pwritev,?pwritev2,?ftruncate,?truncate,?fallocate,?copy_file_range,?sendfile,?splice,"
    "?tee,?vmsplice,?io_uring_setup,?fsync,?fdatasync,?syncfs,?sync,?link,?linkat,?unlink,?unlinkat,?rename,?renameat,"
    "?renameat2,?mkdir,?mkdirat,?rmdir,?symlink,?symlinkat,?mknod,?mknodat"
)
"""Whatever can change a file or a name, or what a descriptor stands for; not every machine has all of it."""

_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. \w+ resumed>|(?P<name>\w+)\()(?P<rest>.*)\n?")
_RESULT = re.compile(r"(?P<arguments>.*)\) += (?P<result>0x[0-9a-f]+|-?\d+|\?).*")
_ARGUMENT = re.compile(r'"(?P<string>(?:\\x[0-9a-f]{2})*)"|(?P<other>[^,\s][^,]*)')
_UNFINISHED = " <unfinished ...>"

Argument: TypeAlias = bytes | str
"""A string as bytes, and anything else as it was printed."""


def strace(output: Path, command: Sequence[str]) -> list[str]:
    """Return the command that records another one."""
    how = ["-f", "-qq", "-xx", "-s", "100000000", "-e", f"trace={_CALLS}", "-e", "signal=none"]
    return ["strace", "--seccomp-bpf", *how, "-o", str(output), *command]


@attrs.define
class Call:
    """A system call."""

    name: str
    """What was called."""
    text: str
    """Its arguments as they were printed; when it has only begun, perhaps not all of them."""
    result: int | None = None
    """What it returned; None as long as it has not, and when it failed."""
    before: int = 0
    """For whoever follows the calls: how many changes had ended when it began."""

    @property
    def arguments(self) -> list[Argument]:
        """Return the arguments."""
        found = _ARGUMENT.finditer(self.text)
        return [
            each["other"] if each["string"] is None else bytes.fromhex(each["string"].replace("\\x", ""))
            for each in found
        ]


def read_calls(lines: Iterable[str]) -> Iterator[Call]:
    """Yield each call twice: when it begins, and when it has ended."""
    under_way: dict[str, Call] = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            continue  # that a process has ended
        thread, rest = found["thread"], found["rest"]
        if found["name"]:
            call = under_way[thread] = Call(found["name"], rest.removesuffix(_UNFINISHED))
            yield call
        else:
            call = under_way[thread]
            call.text += rest
        if not rest.endswith(_UNFINISHED):
            yield _end(under_way.pop(thread))


def _end(call: Call) -> Call:
    ended = _RESULT.fullmatch(call.text)
    assert ended is not None, f"not understood: {call.name}({call.text[:200]}"
    call.text = ended["arguments"]
    call.result = None if ended["result"].startswith(("-", "?")) else int(ended["result"], 0)
    return call
