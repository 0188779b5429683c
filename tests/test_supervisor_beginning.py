"""Supervision: settings with which a child cannot begin, and the failure after which it does not begin again."""

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import Module, SettingsError, SupervisionSettings, open_observatory
from observatory.testing import observatory_plugin


class Misled(Module):
    """Finds that its settings are wrong, before or after it is ready."""

    def __init__(self, *, ready: bool) -> None:
        self._ready = ready

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say so."""
        if self._ready:
            task_status.started()
        raise SettingsError("$.plugins.misled.port", "expected another port")


def plugin(*, ready: bool) -> Any:
    """Return a plugin with such a module."""
    return observatory_plugin("misled", modules={"Misled": lambda context: Misled(ready=ready)})


async def test_settings_that_are_wrong(bare_settings: Any) -> None:
    """Settings that a child cannot begin with keep the Observatory from opening."""
    with pytest.raises(SettingsError, match="expected another port"):
        async with open_observatory(bare_settings(), plugins=[plugin(ready=False)]):
            pytest.fail("it has opened")


async def test_settings_that_turn_out_wrong(
    bare_settings: Any, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Later they are a failure like any, and the last one of a child says that it is."""
    settings = bare_settings(supervision=SupervisionSettings(max_failures=1))
    async with open_observatory(settings, plugins=[plugin(ready=True)]) as observatory:
        await trio.sleep(60)
        assert [child.state for child in observatory.health().children if child.name == "module:Misled"] == ["failed"]
    lines = [record.getMessage() for record in caplog.records if record.name == "observatory.supervisor"]
    reason = "SettingsError: expected another port @ $.plugins.misled.port"
    assert lines == [f"module:Misled failed: {reason}", f"module:Misled has failed for good: {reason}"]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
