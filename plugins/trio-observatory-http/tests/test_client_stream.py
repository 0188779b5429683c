"""A client's connection, as anycorn reads and writes it."""

from __future__ import annotations

import anyio
import pytest
import trio
from observatory_http.server.client_stream import ClientStream
from trio.testing import wait_all_tasks_blocked


async def test_written_to_while_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever still writes while it takes leave hears that it is closed, and is not in the way."""
    ours, theirs = [trio.SocketStream(one) for one in trio.socket.socketpair()]
    monkeypatch.setattr(ours, "send_eof", trio.sleep_forever)
    stream = ClientStream(ours, ours, write_seconds=1)
    async with theirs, trio.open_nursery() as nursery:
        nursery.start_soon(stream.aclose)
        await wait_all_tasks_blocked()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.send(b"late")
