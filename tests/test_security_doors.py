"""What comes to a door: Host and Origin, and how often somebody asks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from observatory import (
    Context,
    ForbiddenError,
    Identity,
    RateLimitError,
    Security,
    SecuritySettings,
    Service,
    open_observatory,
)
from observatory.testing import observatory_plugin

PORT = 41234
LOOPBACK = "127.0.0.1:41234, localhost:41234, [::1]:41234"


@pytest.fixture
def security() -> Security:
    """Return what doors ask."""
    return Security()


class TestHost:
    """The Host header."""

    SECURITY = Security(SecuritySettings(hosts=["Observatory.Example:443"]))

    @pytest.mark.parametrize(
        "host",
        [b"127.0.0.1:41234", b"localhost:41234", b"LocalHost:41234", b"[::1]:41234", b"observatory.EXAMPLE:443"],
    )
    def test_allowed(self, host: bytes) -> None:
        """The loopback names with the door's port are allowed, and what the settings name, whatever the case."""
        self.SECURITY.check_host([host], PORT)

    @pytest.mark.parametrize(
        ("values", "got"),
        [
            ([], "none"),
            ([b"localhost:41234", b"localhost:41234"], "'localhost:41234', 'localhost:41234'"),
            ([b""], "''"),
            ([b"localhost"], "'localhost'"),
            ([b"localhost:41235"], "'localhost:41235'"),
            ([b"localhost:41234."], "'localhost:41234.'"),
            ([b" localhost:41234"], "' localhost:41234'"),
            ([b"evil.example:41234"], "'evil.example:41234'"),
            ([b"localhost.evil.example:41234"], "'localhost.evil.example:41234'"),
            ([b"127.0.0.2:41234"], "'127.0.0.2:41234'"),
            ([b"::1:41234"], "'::1:41234'"),
            ([b"observatory.example"], "'observatory.example'"),
            ([b"\xe4\n"], "'ä\\n'"),
            ([b"x" * 1000], f"'{'x' * 79}…'"),
        ],
    )
    def test_refused(self, values: Sequence[bytes], got: str) -> None:
        """Anything else is refused, as is one that is missing or stands there twice; the error says what is allowed."""
        with pytest.raises(ForbiddenError) as caught:
            self.SECURITY.check_host(values, PORT)
        allowed = f"{LOOPBACK}, Observatory.Example:443"
        assert str(caught.value) == f"expected one Host of those that are allowed ({allowed}), got {got}"


class TestOrigin:
    """The Origin header."""

    SECURITY = Security(SecuritySettings(origins=["http://127.0.0.1:5173"]))

    def test_program(self, security: Security) -> None:
        """Programs send none, and come in."""
        security.check_origin([])

    def test_allowed(self) -> None:
        """A page whose origin the settings name comes in."""
        self.SECURITY.check_origin([b"http://127.0.0.1:5173"])

    def test_null(self) -> None:
        """Pages without an origin come in when the settings name `null`."""
        Security(SecuritySettings(origins=["null"])).check_origin([b"null"])

    @pytest.mark.parametrize(
        ("values", "got"),
        [
            ([b"http://127.0.0.1:5173", b"http://127.0.0.1:5173"], "'http://127.0.0.1:5173', 'http://127.0.0.1:5173'"),
            ([b"null"], "'null'"),
            ([b""], "''"),
            ([b"http://127.0.0.1:5174"], "'http://127.0.0.1:5174'"),
            ([b"https://127.0.0.1:5173"], "'https://127.0.0.1:5173'"),
            ([b"http://127.0.0.1:5173/"], "'http://127.0.0.1:5173/'"),
            ([b"HTTP://127.0.0.1:5173"], "'HTTP://127.0.0.1:5173'"),
            ([b"http://127.0.0.1:5173.evil.example"], "'http://127.0.0.1:5173.evil.example'"),
        ],
    )
    def test_refused(self, values: Sequence[bytes], got: str) -> None:
        """Anything else that a browser sends is refused; the error says what is allowed."""
        with pytest.raises(ForbiddenError) as caught:
            self.SECURITY.check_origin(values)
        assert str(caught.value) == f"expected one Origin of those that are allowed (http://127.0.0.1:5173), got {got}"

    def test_none_is_named(self, security: Security) -> None:
        """Without settings no page comes in."""
        with pytest.raises(ForbiddenError, match=r"\(none is\), got 'http://localhost:41234'"):
            security.check_origin([b"http://localhost:41234"])


class TestRate:
    """How much an identity may ask for."""

    SETTINGS = SecuritySettings(requests_per_second=10, burst=3)

    async def test_burst_and_rate(self, autojump_clock: MockClock) -> None:
        """A burst is admitted at once; then a request is, as often as the rate says, after the time that is told."""
        security, agent = Security(self.SETTINGS), Identity("a")
        for _ in range(3):
            security.admit(agent)
        for _ in range(50):
            with pytest.raises(RateLimitError) as caught:
                security.admit(agent)
            await trio.sleep(caught.value.retry_after)
            security.admit(agent)
        assert trio.current_time() == pytest.approx(50 / 10, rel=0.001)

    async def test_text(self, autojump_clock: MockClock) -> None:
        """The error says who, and for how long to wait."""
        security = Security(SecuritySettings(requests_per_second=4, burst=1))
        for identity, who in ((Identity("a"), "'a'"), (Identity(None), "the owner of the service")):
            security.admit(identity)
            with pytest.raises(RateLimitError) as caught:
                security.admit(identity)
            assert str(caught.value) == f"{who} has asked for more than [security] allows; ask again in 0.25 s"
            assert (caught.value.identity, caught.value.retry_after) == (identity.name, 0.25)

    async def test_count(self, autojump_clock: MockClock) -> None:
        """What is refused is counted, whoever has asked."""
        security = Security(SecuritySettings(requests_per_second=4, burst=1))
        for identity in (Identity("a"), Identity(None)):
            security.admit(identity)
            for _ in range(2):
                with pytest.raises(RateLimitError):
                    security.admit(identity)
        assert security.rate_limited == 4

    async def test_each_for_itself(self, autojump_clock: MockClock) -> None:
        """One that asks for too much costs the others nothing, and the owner counts like an agent."""
        security = Security(self.SETTINGS)
        for identity in (Identity("a"), Identity("b"), Identity(None)):
            for _ in range(3):
                security.admit(identity)

    async def test_no_more_than_a_burst(self, autojump_clock: MockClock) -> None:
        """However long one was idle, a burst is what it may ask for at once."""
        security, agent = Security(self.SETTINGS), Identity("a")
        security.admit(agent)
        await trio.sleep(3600)
        for _ in range(3):
            security.admit(agent)
        with pytest.raises(RateLimitError):
            security.admit(agent)

    async def test_bounded_memory(self, mock_clock: MockClock) -> None:
        """Identities that are idle are forgotten, however many there were, and although another one is busy."""
        security, busy = Security(self.SETTINGS), Identity("busy")
        tracemalloc.start()
        try:
            for number in range(20_000):
                security.admit(Identity(f"agent-{number}"))
                mock_clock.jump(0.11)
                security.admit(busy)
            assert tracemalloc.get_traced_memory()[0] < 100_000
        finally:
            tracemalloc.stop()


class TestContext:
    """Where doors find it."""

    async def test_one_for_all(self, bare_settings: Any) -> None:
        """Every part of an Observatory is handed the same one, which is made of its settings."""
        contexts: list[Context] = []

        class Door(Service):
            async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
                task_status.started()
                await trio.sleep_forever()

        def make(context: Context) -> Door:
            contexts.append(context)
            return Door()

        plugin = observatory_plugin("doors", services={"one": make, "two": make})
        settings = bare_settings(security=SecuritySettings(hosts=["a:1"]))
        async with open_observatory(settings, plugins=[plugin]) as obs:
            assert [context.security for context in contexts] == [obs.security, obs.security]
            obs.security.check_host([b"a:1"], PORT)
