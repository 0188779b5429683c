"""The delivery channel in the box, and the fakes, keep the laws."""

import logging
import re

import pytest

from observatory import ChannelFactory, DeliveryChannel, LogChannel
from observatory.testing import DeliveryChannelConformance, FailingChannel, RecordingChannel


class TestLogChannel(DeliveryChannelConformance):
    """`log`, in the box: what it delivers is gone."""

    can_fail = False

    @pytest.fixture(autouse=True)
    def _hear(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "observatory.messages")
        self._caplog = caplog

    @pytest.fixture
    def channel_factory(self) -> ChannelFactory:
        """Return what is registered."""
        return lambda context: LogChannel()

    async def delivered(self, channel: DeliveryChannel, to: str) -> list[str]:
        """Read the ids out of the lines."""
        line = re.compile(rf"event='message' to='{to}' from_='sender' id='(\w+)'")
        return [found[1] for found in map(line.match, self._caplog.messages) if found]


class TestRecordingChannel(DeliveryChannelConformance):
    """The fake that keeps everything."""

    can_fail = False

    @pytest.fixture
    def channel_factory(self) -> ChannelFactory:
        """Return what makes one."""
        return lambda context: RecordingChannel()

    async def delivered(self, channel: DeliveryChannel, to: str) -> list[str]:
        """Ask it."""
        assert isinstance(channel, RecordingChannel)
        return channel.ids(to)


class TestFailingChannel(DeliveryChannelConformance):
    """The fake that fails on demand."""

    @pytest.fixture
    def channel_factory(self) -> ChannelFactory:
        """Return what makes one."""
        return lambda context: FailingChannel(0)

    async def delivered(self, channel: DeliveryChannel, to: str) -> list[str]:
        """Ask it."""
        assert isinstance(channel, FailingChannel)
        return channel.ids(to)

    def break_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let it fail for ever."""
        assert isinstance(channel, FailingChannel)
        channel.left[to] = float("inf")

    def mend_recipient(self, channel: DeliveryChannel, to: str) -> None:
        """Let it fail no more."""
        assert isinstance(channel, FailingChannel)
        channel.left[to] = 0
