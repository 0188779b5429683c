"""`observatory serve`, in processes of its own."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

STUCK = """
import trio
from observatory import DeliveryChannel, Mailbox, Service, hookimpl

class Stuck(DeliveryChannel):
    async def deliver(self, batch):
        {waiting}

class Sender(Service):
    def __init__(self, context):
        self.context = context

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        await self.context.module(Mailbox).send_message("bob", "sender", "hello")
        task_status.started()
        await trio.sleep_forever()

@hookimpl
def observatory_register_channels(registrar):
    registrar.register("stuck", lambda context: Stuck())

@hookimpl
def observatory_register_services(registrar):
    registrar.register("sender", Sender)
"""


SLOW = """
import trio
from observatory import Service, hookimpl

class Slow(Service):
    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)

@hookimpl
def observatory_register_services(registrar):
    registrar.register("slow", lambda context: Slow())
"""


def ready(process: "subprocess.Popen[str]") -> str:
    """Wait for the ready line and return it."""
    assert process.stdout
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(start: Start, root: Path, number: signal.Signals) -> None:
    """After a ready line that says what runs."""
    process = start("serve", **PIPES)
    line = ready(process)
    assert line.startswith(f"ready: root {root}, process {process.pid}, delivery channels inbox, plugins ")
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == 0
    assert err == "stopping; Ctrl-C again ends at once\n"


def test_what_was_not_delivered_makes_it_fail(
    start: Start, install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many deliveries there were."""
    install("stuck", STUCK.format(waiting="await trio.sleep_forever()"))
    monkeypatch.setenv("OBSERVATORY_SUPERVISION__DRAIN", "0")
    process = start("serve", **PIPES)
    ready(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "1 delivery could not be made before the end" in err


def test_a_second_signal_ends_it_at_once(start: Start, install: Callable[[str, str], None]) -> None:
    """Though a delivery is stuck."""
    install("stuck", STUCK.format(waiting="await trio.sleep_forever()"))
    process = start("serve", **PIPES)
    ready(process)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err == "observatory: ended before everything was delivered\n"


def test_a_second_signal_that_cuts_nothing_short_is_no_failure(
    start: Start, install: Callable[[str, str], None]
) -> None:
    """As from `timeout`, which tells the whole group and then the process again."""
    install("slow", SLOW)
    process = start("serve", **PIPES)
    ready(process)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


@pytest.fixture
def short_drain(install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a delivery be stuck, and be waited for at the end, but not for long."""
    install("stuck", STUCK.format(waiting="await trio.sleep_forever()"))
    monkeypatch.setenv("OBSERVATORY_SUPERVISION__DRAIN", "0.5")


@pytest.mark.usefixtures("short_drain")
def test_a_terminal_that_is_closed_may_say_so_twice(start: Start) -> None:
    """The kernel does, and the shell: what is left is delivered all the same."""
    process = start("serve", **PIPES)
    ready(process)
    process.send_signal(signal.SIGHUP)
    assert process.stderr
    process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate()
    assert err == "observatory: 1 delivery could not be made before the end\n"


@pytest.mark.usefixtures("short_drain")
def test_a_closed_terminal_is_ignored_where_that_is_wanted(start: Start) -> None:
    """As under `nohup`: only what comes next ends it."""
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start("serve", **PIPES)
    finally:
        signal.signal(signal.SIGHUP, hangup)
    ready(process)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert err.splitlines()[-1] == "observatory: 1 delivery could not be made before the end"


def test_a_terminal_that_is_closed_is_told_nothing(root: Path) -> None:
    """What cannot be written there any more does not stand in the way of the end."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "observatory", "serve", "--root", str(root)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        with open(ours, "rb", buffering=0) as terminal:
            assert terminal.readline().startswith(b"ready")
        process.send_signal(signal.SIGHUP)
        assert process.wait() == 0


def test_a_third_signal_ends_even_what_cannot_be_cancelled(start: Start, install: Callable[[str, str], None]) -> None:
    """A thread that hangs, as on a dead network file system."""
    install("stuck", STUCK.format(waiting="await trio.to_thread.run_sync(__import__('time').sleep, 600)"))
    process = start("serve", **PIPES)
    ready(process)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    process.stderr.readline()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
    assert process.returncode == -signal.SIGINT


def test_what_the_log_channel_writes_is_shown(
    start: Start, install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line a message, on standard error."""
    install("stuck", STUCK.format(waiting="return [__import__('observatory').Done('sent')] * len(batch)"))
    monkeypatch.setenv("OBSERVATORY_DELIVERY__DISABLED", "[]")
    process = start("serve", **PIPES)
    ready(process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 0
    assert "observatory: info: event='message' to='bob' from_='sender'" in err


def test_it_says_where_its_doors_are(serve: Callable[[], "subprocess.Popen[str]"], start: Start, root: Path) -> None:
    """In the ready line; and while another process serves the root, that it waits, and which process that is."""
    first = serve()
    second = start("serve", **PIPES)
    assert second.stderr
    assert second.stderr.readline().startswith(
        f"observatory: warning: process {first.pid} runs a service on the root {root} already; "
    )
    assert "; doors: " not in ready(second)
    first.send_signal(signal.SIGTERM)
    first.wait()
    second.send_signal(signal.SIGTERM)
    assert second.wait() == 0
    found = re.fullmatch(r"ready: .*, plugins [^;]+; doors: (.*)\n", ready(start("serve", **PIPES)))
    assert found
    doors = dict(re.findall(r"(\w+) at (\w+://127\.0\.0\.1:\d+/)", found[1]))
    assert "websocket" in doors
    assert json.loads((root / "observatory" / "service.json").read_text())["doors"] == doors


def test_a_service_may_mean_something_else_by_url(start: Start, install_telling: Callable[[object], None]) -> None:
    """What is no string is no place of a door."""
    install_telling({"url": 3})
    assert "telling at" not in ready(start("serve", **PIPES))


FAILING = """
import trio
from observatory import Service, SettingsError, hookimpl

class Failing(Service):
    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        raise {error}

@hookimpl
def observatory_register_services(registrar):
    registrar.register("failing", lambda context: Failing())
"""


def test_it_says_what_has_failed(start: Start, install: Callable[[str, str], None], tmp_path: Path) -> None:
    """In the ready line; what happened stands in the log, once for each time, and without saying it twice."""
    install("failing", FAILING.format(error="OSError('no such luck')"))
    config = tmp_path / "failing.toml"
    config.write_text("[supervision]\nmax_failures = 1\n")
    process = start("serve", "--config", str(config), **PIPES)
    assert ready(process).endswith("; failed: service:failing\n")
    process.send_signal(signal.SIGTERM)
    lines = process.communicate()[1].splitlines()
    assert lines[:2] == [
        "observatory: error: service:failing failed: OSError: no such luck",
        "observatory: error: service:failing has failed for good: OSError: no such luck",
    ]


def test_settings_that_a_service_cannot_begin_with(start: Start, install: Callable[[str, str], None]) -> None:
    """They end it before it was ready, in one line."""
    install("failing", FAILING.format(error="SettingsError('$.plugins.failing.port', 'expected another one')"))
    process = start("serve", **PIPES)
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert err == "observatory: expected another one @ $.plugins.failing.port\n"


def test_it_may_have_many_files_open(start: Start) -> None:
    """As many as the system allows, whatever is usual there."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (200, most))
    process = start("serve", preexec_fn=few, **PIPES)
    ready(process)
    assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (most, most)


NEVER_READY = """
import trio
from observatory import Service, hookimpl

class NeverReady(Service):
    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        print("starting", flush=True)
        await trio.sleep_forever()

@hookimpl
def observatory_register_services(registrar):
    registrar.register("never", lambda context: NeverReady())
"""


def test_an_end_before_it_was_ready(start: Start, install: Callable[[str, str], None]) -> None:
    """Two signals while it starts end it, and it says that it was not ready."""
    install("never", NEVER_READY)
    process = start("serve", **PIPES)
    assert ready(process) == "starting\n"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (1, "observatory: ended before it was ready\n")
