"""An address where a service lets clients in: listening, telling of it, and giving it back."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from observatory import (
    Clock,
    Context,
    Door,
    PubSub,
    RootError,
    Security,
    SecuritySettings,
    ServiceFile,
    SettingsError,
    read_service,
)
from observatory.testing import cancel_at_every_checkpoint

Make = Callable[..., Door]


@pytest.fixture
def tls(tmp_path: Path) -> Security:
    """Return a layer with a certificate for this machine."""
    issued = trustme.CA().issue_cert("localhost")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return Security(SecuritySettings(certificate=certificate, key=key))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes a door to one root."""

    def make(
        name: str = "bell",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        security: Security | None = None,
        file: ServiceFile | None = None,
    ) -> Door:
        context = Context(tmp_path, Clock(), PubSub(), None, {}, {}, security=security or Security(), service_file=file)
        return Door(context, name, ("plain", "secret"), host=host, port=port)

    return make


async def ring(listeners: list[trio.SocketListener], started: Callable[[], None]) -> None:
    """Answer whoever comes with one byte."""

    async def answer(stream: trio.SocketStream) -> None:
        await stream.send_all(b"!")
        await stream.aclose()

    started()
    await trio.serve_listeners(answer, listeners)


@asynccontextmanager
async def opened(door: Door, let_in: Any = ring) -> AsyncIterator[Door]:
    """Open a door for the time of a block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda *, task_status: door.run(let_in, task_status=task_status))
        yield door
        nursery.cancel_scope.cancel()


def doors(root: Path) -> Any:
    """Return what is told of a root's doors; None for nothing."""
    info = read_service(root)
    return info and info.doors


async def test_somebody_comes(make: Make, tmp_path: Path) -> None:
    """Clients are told where it is, and let in; afterwards neither is the case."""
    async with opened(make()) as door:
        url = f"plain://127.0.0.1:{door.port}/"
        assert doors(tmp_path) == {"bell": url}
        assert str(door.url) == url
        assert door.tls is None
        async with await trio.open_tcp_stream("127.0.0.1", door.port) as stream:
            assert await stream.receive_some() == b"!"
    assert doors(tmp_path) is None
    assert door.url is None
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", door.port)


async def test_two_doors(make: Make, tmp_path: Path) -> None:
    """Two doors of one Observatory stand in one file."""
    file = ServiceFile(tmp_path, Security(), Clock())
    async with opened(make(file=file)) as one, opened(make("knocker", file=file)) as other:
        assert doors(tmp_path) == {"bell": one.url, "knocker": other.url}


async def test_all_addresses(make: Make, tls: Security) -> None:
    """Where it listens at all addresses clients are told of loopback, and with a certificate of TLS."""
    async with opened(make(host="0.0.0.0", security=tls)) as door:  # noqa: S104 -- that is what it is about
        assert door.url == f"secret://127.0.0.1:{door.port}/"
        assert door.tls is not None


async def test_ipv6(make: Make) -> None:
    """An address of IPv6 stands in brackets."""
    try:
        async with opened(make(host="::1")) as door:
            assert door.url == f"plain://[::1]:{door.port}/"
    except* OSError:
        pytest.skip("there is no IPv6 here")


async def test_several_addresses(make: Make) -> None:
    """Of a name with several addresses one is listened to, when any port will do: the others would have other ones."""
    counts = []

    async def count(listeners: list[trio.SocketListener], started: Callable[[], None]) -> None:
        counts.append(len(listeners))
        started()
        await trio.sleep_forever()

    resolver = Addresses()
    trio.socket.set_custom_hostname_resolver(resolver)
    async with opened(make(host="localhost"), count):
        pass
    async with opened(make(host="localhost", port=await free_port()), count):
        pass
    assert counts == [1, 2]


class Addresses(trio.abc.HostnameResolver):
    """Knows two addresses of this machine by one name."""

    async def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """Return both."""
        await trio.lowlevel.checkpoint()
        stream = trio.socket.SOCK_STREAM
        return [(trio.socket.AF_INET, stream, 6, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2")]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """Know no name."""
        raise NotImplementedError


async def free_port() -> int:
    """Return a port that nobody listens at."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port: int = listener.socket.getsockname()[1]
    return port


async def test_a_port_that_is_taken(make: Make, tmp_path: Path) -> None:
    """It fails with the place and a remedy, for a supervisor to see."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen at port {port} of '127.0.0.1': .* under plugins.bell$"):
            await make(port=port).run(ring)
    assert doors(tmp_path) is None


async def test_an_address_of_another_machine(make: Make, tls: Security) -> None:
    """It says which."""
    with pytest.raises(OSError, match=r"cannot listen at a port of '192\.0\.2\.1'"):
        await make(host="192.0.2.1", security=tls).run(ring)


async def test_no_certificate(make: Make, tmp_path: Path) -> None:
    """Beyond loopback it stays closed without one."""
    with pytest.raises(SettingsError, match="name certificate and key for TLS"):
        await make(host="0.0.0.0").run(ring)  # noqa: S104 -- that is what it is about
    assert doors(tmp_path) is None


async def test_a_file_that_cannot_be_written(make: Make, tmp_path: Path) -> None:
    """Nobody could find it: it fails, and listens no more."""
    (tmp_path / "observatory").touch()
    port = await free_port()
    with pytest.raises(RootError):
        await make(port=port).run(ring)
    await (await trio.open_tcp_listeners(port, host="127.0.0.1"))[0].aclose()


async def test_another_service(make: Make, tmp_path: Path, caplog: Any, autojump_clock: Any) -> None:
    """While another service serves the root it waits, says so once, and then lets clients in."""
    caplog.set_level(logging.INFO, "observatory.bell")
    file = ServiceFile(tmp_path, Security(), Clock())
    file.announce("other", "plain://elsewhere/")
    async with opened(make()) as door:
        await trio.sleep(10)
        assert (door.url, doors(tmp_path)) == (None, {"other": "plain://elsewhere/"})
        file.withdraw("other")
        while door.url is None:  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(1)
    waits, goes_on = [record.getMessage() for record in caplog.records]
    assert waits.endswith("; this one waits until that has ended")
    assert goes_on.startswith("that has ended: clients are let in at plain://127.0.0.1:")


async def test_another_service_at_the_same_port(make: Make, tmp_path: Path, autojump_clock: Any) -> None:
    """It waits as well where that one has taken its port, as it does with the same settings."""
    file = ServiceFile(tmp_path, Security(), Clock())
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    file.announce("other", "plain://elsewhere/")
    async with opened(make(port=listener.socket.getsockname()[1])) as door:
        await trio.sleep(10)
        assert door.url is None
        await listener.aclose()
        file.withdraw("other")
        while door.url is None:  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(1)


async def test_a_service_that_ends_just_then(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that another service gives back while one looks whether there is any is taken."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr("observatory.doors.read_service", lambda root: listening.close())
        async with opened(make(port=port)) as door:
            assert door.url == f"plain://127.0.0.1:{port}/"


async def test_a_port_that_is_taken_where_it_serves_the_root(make: Make, tmp_path: Path) -> None:
    """It fails where nobody else serves the root: another door of the same process keeps it open."""
    security = Security()
    file = ServiceFile(tmp_path, security, Clock())
    file.announce("other", "plain://elsewhere/")
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        with pytest.raises(OSError, match="cannot listen at port"):
            await make(port=listener.socket.getsockname()[1], security=security, file=file).run(ring)
    file.withdraw("other")


async def test_cancelled(make: Make, tmp_path: Path) -> None:
    """Wherever it is cancelled nothing is left: neither a listener nor a line in the file."""

    async def open_and_close() -> None:
        async with opened(make()):
            pass

    await cancel_at_every_checkpoint(open_and_close)
    assert doors(tmp_path) is None


async def test_what_lets_in_fails(make: Make, tmp_path: Path) -> None:
    """What it raises comes out, and the door is closed."""

    async def fail(listeners: object, started: Callable[[], None]) -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    door = make()
    with pytest.raises(ZeroDivisionError):
        await door.run(fail)
    assert door.url is None
    assert doors(tmp_path) is None
