"""`observatory serve`, in processes of its own."""

import signal
import subprocess
from collections.abc import Callable
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


def ready(process: "subprocess.Popen[str]") -> str:
    """Wait for the ready line and return it."""
    assert process.stdout
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
