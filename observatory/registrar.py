"""What a hook is handed: a place to register things of one kind, under names that are refused twice."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import attrs

from observatory.abc import Context
from observatory.errors import CanonicalNameError, DuplicateNameError, ObservatoryError, PluginError, one_line

T = TypeVar("T")

CANONICAL_MODULES = frozenset({"Mailbox", "Notes", "Presence", "ProtocolTracker", "SwarmMonitor"})
"""Names of modules that are always ours (UC-0126): a plugin that registers one is refused."""

CORE_COMMANDS = frozenset(
    {
        *("ack", "agents", "dead-letters", "deliveries", "demo", "doctor", "inbox", "plugins"),
        *("send", "serve", "stats", "status", "swarm", "tail", "token", "traces"),
    }
)
"""Commands that are always ours: a plugin that registers one is refused."""

HTTP_ROUTES = frozenset({"api", "healthz", "metrics", "readyz"})
"""Routes that whoever serves HTTP has itself: a plugin that registers one is refused."""

_RESERVED = {
    "module": (CANONICAL_MODULES, "is a canonical module and cannot be replaced"),
    "route": (HTTP_ROUTES, "is a route of the HTTP service itself and cannot be replaced"),
    "command": (CORE_COMMANDS, "is a command of the core and cannot be replaced"),
}
"""By kind, the names that no plugin may take, and why."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@attrs.frozen
class Registered:
    """One thing that a plugin has registered."""

    plugin: str
    """The plugin's name."""
    settings: Any
    """The plugin's own settings, or None."""
    item: Any
    """The factory, the policy, or the connector."""

    def make(self, kind: type[Any], name: str, *given: Context) -> Any:
        """Let the factory make its part, an instance of `kind`, of what is given.

        Raises:
            PluginError: it failed, or made something else.
        """
        what = f"the factory of {name!r}"
        try:
            part = self.item(*given)
        except ObservatoryError:
            raise
        except (Exception, SystemExit) as error:  # the same edge: a factory of the plugin failed while it was loaded
            raise PluginError(self.plugin, f"{what} failed: {one_line(error)}") from error
        if not isinstance(part, kind):
            raise PluginError(self.plugin, f"{what} made a {type(part).__name__}, which is no {kind.__name__}")
        return part


class Registrar(Generic[T]):
    """Collects what one plugin registers of one kind.

    Attributes:
        plugin: the plugin's name.
        settings: an instance of the plugin's `settings_class`, filled from `[plugins.NAME]`, or None.
        items: what has been registered so far, by name.
    """

    def __init__(self, kind: str, plugin: str, settings: Any = None) -> None:
        self.plugin = plugin
        self.settings = settings
        self.items: dict[str, T] = {}
        self._kind = kind

    def register(self, name: str, item: T) -> None:
        """Register `item` under `name`.

        Args:
            name: a letter, then up to 63 letters, digits, `_` or `-`; unique among all plugins.
            item: a factory that takes a `Context`, one of commands, which takes nothing, a policy, or a connector.

        Raises:
            CanonicalNameError: when the name belongs to a canonical module, or a command of the core.
            DuplicateNameError: when this plugin has registered the name before.
            PluginError: when the name has another form, or the item cannot be called.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise PluginError(
                self.plugin,
                f"{name!r} cannot name a {self._kind}: a letter, then up to 63 letters, digits, '_' or '-'",
            )
        reserved, why = _RESERVED.get(self._kind, ((), ""))
        if name in reserved:
            raise CanonicalNameError(self.plugin, f"{name!r} {why}")
        if name in self.items:
            raise DuplicateNameError(self.plugin, f"registers the {self._kind} {name!r} twice")
        if not callable(item):
            raise PluginError(self.plugin, f"the {self._kind} {name!r} is a {type(item).__name__} and cannot be called")
        self.items[name] = item
