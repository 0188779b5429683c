"""Applications that servers of HTTP call, as ASGI 3 says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Asgi: TypeAlias = MutableMapping[str, Any]
"""What ASGI says with a dict: a scope, or something that is received or sent."""

AsgiApp: TypeAlias = Callable[[Asgi, Callable[[], Awaitable[Asgi]], Callable[[Asgi], Awaitable[None]]], Awaitable[None]]
"""An ASGI 3 application: `await app(scope, receive, send)`."""
