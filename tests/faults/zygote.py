"""A process that has imported everything and forks processes to be killed: `python zygote.py MODULE`.

It is told by lines of JSON: `["start", ARGUMENT, ...]` forks a process that calls the module's `prepare`, answers with
its id, and waits; `["go"]` lets that run what `prepare` has returned; `["kill"]` kills it; `["wait"]` waits for its
end, and answers with its exit code, or minus the signal that it was killed by, or null when it hung.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import json
import logging
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

LONGEST = 10  # seconds for which a process is waited for: then it hangs
LATE = "observatory.late", "observatory.swarm.pipeline"
"""What the library imports when it is first needed: files that are read are no file operation of what is tested."""

_PR_SET_PDEATHSIG, _PR_SET_PTRACER, _ANYBODY = 1, 0x59616D61, -1


def main(module: str) -> None:
    """Serve until there is nobody any more who could tell anything."""
    # Looked up once, and not by each process: it is no file operation of what is tested.
    metadata: Any = importlib.metadata
    metadata.entry_points = functools.cache(metadata.entry_points)
    metadata.PathDistribution.read_text = functools.cache(metadata.PathDistribution.read_text)
    logging.disable()  # what fails is meant to
    victim = importlib.import_module(module)
    for late in LATE:
        importlib.import_module(late)
    for point in metadata.entry_points(group="observatory"):
        point.load()
        assert point.dist is None or point.dist.metadata
    pid = go = -1
    for line in sys.stdin:
        match json.loads(line):
            case ["start", *arguments]:
                pid, go = fork(victim, arguments)
            case ["go"]:
                os.write(go, b"\n")
            case ["kill"]:
                os.kill(pid, signal.SIGKILL)
            case ["wait"]:
                say(wait(pid))
                os.close(go)


def fork(victim: Any, arguments: list[str]) -> tuple[int, int]:
    """Fork a process that waits; return its id, and what is to be written to for it to go on."""
    ready, go = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(go)
        run(victim, arguments, ready)
    os.close(ready)
    return pid, go


def run(victim: Any, arguments: list[str], ready: int) -> NoReturn:
    """Be the process that was forked: it can be traced by anybody, and does not outlive the one that forked it."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PTRACER, ctypes.c_long(_ANYBODY), 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    status = 1
    try:
        victim_runs = victim.prepare(*arguments)
        say(os.getpid())
        os.readv(ready, [bytearray(1)])  # not `read`, whose calls are counted
        victim_runs()
        status = 0
    except BaseException:  # noqa: BLE001, ASYNC103 -- nothing of this process may go on to read what the other is told
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait(pid: int) -> int | None:
    """Return the exit code of a process; None when it does not end."""
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(LONGEST)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if signal.alarm(0) else None


def say(answer: object) -> None:
    """Answer in a line."""
    os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
