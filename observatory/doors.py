"""What every service does that lets clients in: listen, and tell them where."""

from __future__ import annotations

import errno
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from observatory.abc import Context
from observatory.errors import ServiceRunningError
from observatory.service_file import ServiceFile, read_service

_RETRY = 2.0
"""Seconds between two looks whether another process's service on this root has ended."""

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- not bound here: what is told instead of it

LetIn: TypeAlias = Callable[[list[trio.SocketListener], Callable[[], None]], Awaitable[None]]
"""Lets clients in by listeners until cancelled, and calls the function once it does."""


class Door:
    """An address where a service lets clients in, and of which `service.json` tells.

    Args:
        context: what the service was handed.
        name: what it is called there, such as `websocket`, and the name of the plugin.
        schemes: those of its URL, without TLS and with it, such as `("ws", "wss")`.
        host: the address to listen at; beyond loopback it takes a certificate.
        port: the port; 0 for one that is free.

    Attributes:
        url: where it can be reached; None while it cannot.
        port: the port, once it can.
        tls: what clients speak TLS with; None where they do not.
    """

    def __init__(self, context: Context, name: str, schemes: tuple[str, str], *, host: str, port: int) -> None:
        self.url: str | None = None
        self.port = port
        self.tls: ssl.SSLContext | None = None
        self._name = name
        self._schemes = schemes
        self._host, self._wanted_port = host, port
        self._root = context.root
        self._security = context.security
        self._file = context.service_file or ServiceFile(context.root, context.security, context.clock)
        self._log = logging.getLogger(f"observatory.{name}")

    async def run(self, let_in: LetIn, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let clients in until cancelled; while another process serves this root, wait until that has ended.

        Args:
            let_in: what does it.
            task_status: told when it does, or waits for that.

        Raises:
            SettingsError: it takes a certificate, which is not there, or cannot be read.
            OSError: nobody can listen there.
            RootError: `service.json` cannot be written.
        """
        self._security.check_binding(self._host)
        reason = ""  # why it waits
        while True:
            try:
                await self._open(let_in, task_status.started, waited=bool(reason))
            except ServiceRunningError as error:
                if str(error) != reason:
                    reason = str(error)
                    self._log.warning("%s; this one waits until that has ended", error)
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await trio.sleep(_RETRY)

    async def _open(self, let_in: LetIn, started: Callable[[], None], *, waited: bool) -> None:
        listeners = await self._listen()
        try:
            if not self._wanted_port:  # of several addresses each would have a port of its own, and one is announced
                while len(listeners) > 1:
                    await listeners.pop().aclose()
            await self._announce(listeners[0])
            if waited:
                self._log.info("that has ended: clients are let in at %s", self.url)
            await let_in(listeners, started)
        finally:
            self.url = None
            with trio.CancelScope(shield=True):
                for listener in listeners:
                    await listener.aclose()
                await trio.to_thread.run_sync(self._file.withdraw, self._name)

    async def _listen(self) -> list[trio.SocketListener]:
        try:
            return await trio.open_tcp_listeners(self._wanted_port, host=self._host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise self._unable(error) from error
        await self._check_other_service()
        try:
            return await trio.open_tcp_listeners(self._wanted_port, host=self._host)  # that one may just have ended
        except OSError as error:
            raise self._unable(error) from error

    def _unable(self, error: OSError) -> OSError:
        where = f"port {self._wanted_port}" if self._wanted_port else "a port"
        remedy = f"end what uses it, or set another host or port under plugins.{self._name}"
        return OSError(error.errno, f"cannot listen at {where} of {self._host!r:.80}: {error.strerror}; {remedy}")

    async def _check_other_service(self) -> None:
        """See whether a port may be taken because another process, with the same settings, serves this root.

        Raises:
            ServiceRunningError: one does.
        """
        running = await trio.to_thread.run_sync(read_service, self._root)
        if running is not None and running.token != self._security.token:
            raise ServiceRunningError(str(self._root), running.pid)

    async def _announce(self, listener: trio.SocketListener) -> None:
        host, self.port = listener.socket.getsockname()[:2]
        self.tls = await trio.to_thread.run_sync(self._security.ssl_context)
        host = _ANY_ADDRESS.get(host, host)
        scheme = self._schemes[self.tls is not None]
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"
        await trio.to_thread.run_sync(self._file.announce, self._name, url)
        self.url = url
