"""Observatory over HTTP: hook events, a REST interface, metrics, and the routes of other plugins."""

# plugin      what Observatory loads: the hooks and the settings class
# settings    what can be set
# server/     the service, from the socket to the library

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from observatory_http.settings import HttpSettings

if TYPE_CHECKING:
    from observatory_http.server.service import HttpService

__all__ = ["HttpService", "HttpSettings"]

# What serves HTTP is imported when it is asked for: Observatory loads this package for every command.
_LATE = {"HttpService": "server.service"}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
