"""Finding plugins, and asking them for what they register: one pluggy manager per Observatory."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pluggy

import observatory.hookspecs as hookspecs
from observatory.arguments import check_plugins
from observatory.delivery.dead_letters import EXPIRED
from observatory.errors import (
    DuplicateNameError,
    ObservatoryError,
    PluginError,
    SettingsError,
    UnknownNameError,
    did_you_mean,
    one_line,
)
from observatory.overview import PluginInfo
from observatory.registrar import Registered, Registrar
from observatory.settings import Settings
from observatory.wire import structure_settings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_log = logging.getLogger("observatory.plugins")

ENTRY_POINT_GROUP = "observatory"
_IN_THE_BOX = "observatory"
_DISABLED = "disabled in the settings"

_HOOKS = {
    "observatory_register_storage": "storage backend",
    "observatory_register_channels": "delivery channel",
    "observatory_register_modules": "module",
    "observatory_register_skill_sources": "skill source",
    "observatory_register_routes": "route",
    "observatory_register_services": "service",
    "observatory_register_policies": "policy",
    "observatory_register_checks": "check",
    "observatory_register_commands": "command",
    "observatory_register_connectors": "connector",
}


class Plugins:
    """The plugins of one Observatory, behind typed methods.

    Args:
        settings: names plugins to leave out, and holds `[plugins.NAME]`.
        built_in: the plugin that is in the box.
        extra: plugin objects beside the installed ones; named by their `name` or `__name__`.

    Raises:
        InvalidInputError: what was handed over is no plugin.
        PluginError: a hook is misspelled, two have the same name, or one that the settings name cannot be loaded.
        SettingsError: `[plugins.NAME]` names no plugin, or holds what its settings class does not allow.
    """

    def __init__(self, settings: Settings, *, built_in: object, extra: Iterable[object] = ()) -> None:
        from importlib.metadata import entry_points  # here, so that `import observatory` is quick

        self._settings = settings
        self._manager = pluggy.PluginManager("observatory")
        self._manager.add_hookspecs(hookspecs)
        self._infos: dict[str, PluginInfo] = {}
        self._registered: dict[str, dict[str, Registered]] = {kind: {} for kind in _HOOKS.values()}
        self._add(_IN_THE_BOX, built_in, None)
        # By name, so that it is the same on every machine what starts before what, and stops after it.
        for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name):
            self._load(entry_point)
        for plugin in check_plugins(extra):
            self._add_extra(_name_of(plugin), plugin)
        self._check_names_in_settings()
        for name in list(self._infos):
            if self._infos[name].state == "loaded":
                self._register_all(name)

    def infos(self) -> tuple[PluginInfo, ...]:
        """Return what is known of every plugin, the one in the box first."""
        return tuple(self._infos.values())

    def broken(self) -> dict[str, str]:
        """Return the plugins that were left out against anybody's wish, with the reason."""
        return {info.name: info.reason or "" for info in self._infos.values() if info.state == "broken"}

    def chosen_storage(self) -> tuple[str, Registered]:
        """Return name and factory of the storage backend that the settings name.

        Raises:
            SettingsError: there is none of that name.
        """
        name, backends = self._settings.storage.backend, self.storage()
        if name not in backends:
            raise SettingsError("$.storage.backend", str(UnknownNameError("storage backend", name, backends)))
        return name, backends[name]

    def chosen_channels(self) -> tuple[Mapping[str, Registered], Collection[str]]:
        """Return the factories of the delivery channels that the settings do not disable, and which are required.

        Raises:
            SettingsError: the settings name one that there is not; PluginError: one has a name that is taken.
        """
        settings, every = self._settings.delivery, self.channels()
        left_out = [info.name for info in self._infos.values() if info.state != "loaded"]
        for name in () if self.broken() else set(settings.disabled).difference(every, left_out):
            raise SettingsError("$.delivery.disabled", str(UnknownNameError("delivery channel", name, every)))
        channels = {name: item for name, item in every.items() if name not in settings.disabled}
        required = ("inbox",) if settings.required is None and "inbox" in channels else settings.required or ()
        for name in set(required).difference(channels):
            raise SettingsError("$.delivery.required", self._why_missing(name, channels))
        if EXPIRED in channels:
            why = f"registers a delivery channel {EXPIRED!r}, the name for what expires in a mailbox; choose another"
            raise PluginError(channels[EXPIRED].plugin, why)
        return channels, required

    def _why_missing(self, name: str, channels: Collection[str]) -> str:
        if name not in self.channels():
            return str(UnknownNameError("delivery channel", name, channels))
        others = [other for other in self._settings.delivery.disabled if other != name]
        return f"the delivery channel {name!r} is disabled; to enable it, set disabled = {others} in [delivery]"

    def storage(self) -> Mapping[str, Registered]:
        """Return the storage factories (`StorageFactory`) by name."""
        return self._registered["storage backend"]

    def channels(self) -> Mapping[str, Registered]:
        """Return the delivery channel factories by name."""
        return self._registered["delivery channel"]

    def modules(self) -> Mapping[str, Registered]:
        """Return the module factories by name."""
        return self._registered["module"]

    def skill_sources(self) -> Mapping[str, Registered]:
        """Return the factories of sources of skills by name."""
        return self._registered["skill source"]

    def routes(self) -> Mapping[str, Registered]:
        """Return the factories of ASGI applications by the name below which each is served."""
        return self._registered["route"]

    def services(self) -> Mapping[str, Registered]:
        """Return the service factories by name."""
        return self._registered["service"]

    def policies(self) -> Mapping[str, Registered]:
        """Return the policies by name, in the order of registration."""
        return self._registered["policy"]

    def checks(self) -> Mapping[str, Registered]:
        """Return the check factories by name."""
        return self._registered["check"]

    def commands(self) -> Mapping[str, Registered]:
        """Return the factories of groups of the command line by name."""
        return self._registered["command"]

    def connectors(self) -> Mapping[str, Registered]:
        """Return the connectors by the name of the door that they go through."""
        return self._registered["connector"]

    def _add_extra(self, name: str, plugin: object) -> None:
        if name in self._settings.disabled_plugins:
            self._note(name, None, "disabled", _DISABLED)
        else:
            self._add(name, plugin, None)

    def _load(self, entry_point: EntryPoint) -> None:
        name = entry_point.name
        if name in self._settings.disabled_plugins:
            self._note(name, entry_point, "disabled", _DISABLED)
            return
        try:
            plugin = entry_point.load()
        except (Exception, SystemExit) as error:  # one of the four edges: a broken plugin leaves the others be
            reason = f"cannot be imported: {one_line(error)}"
            if name in self._settings.plugins:
                raise PluginError(name, f"{reason}; the settings name it, so it is needed") from error
            _log.warning("plugin %s is left out: it %s", name, reason)
            self._note(name, entry_point, "broken", reason)
        else:
            self._add(name, plugin, entry_point)

    def _add(self, name: str, plugin: object, entry_point: EntryPoint | None) -> None:
        self._note(name, entry_point, "loaded", None)
        try:
            self._manager.register(plugin, name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(name, f"cannot be registered: {one_line(error)}") from error
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                raise PluginError(name, f"there is no hook {caller.name!r}; {did_you_mean(caller.name, _HOOKS)}")
            if any(iscoroutinefunction(hook.function) for hook in caller.get_hookimpls() if hook.plugin is plugin):
                raise PluginError(name, f"the hook {caller.name!r} is asynchronous; hooks are plain functions")

    def _note(
        self,
        name: str,
        entry_point: EntryPoint | None,
        state: Literal["loaded", "broken", "disabled"],
        reason: str | None,
    ) -> None:
        distribution = entry_point.dist if entry_point else None
        if name in self._infos:
            first = self._infos[name].distribution or "this program"
            second = distribution.name if distribution else "this program"
            raise DuplicateNameError(name, f"two plugins have this name, from {first} and {second}; disable one")
        self._infos[name] = PluginInfo(
            name=name,
            distribution=distribution.name if distribution else None,
            version=distribution.version if distribution else None,
            state=state,
            reason=reason,
            registered=(),
        )

    def _check_names_in_settings(self) -> None:
        known = [name for name in self._infos if name != _IN_THE_BOX]
        named = [(name, f"$.plugins.{name}") for name in self._settings.plugins]
        for name, path in [*named, *((name, "$.disabled_plugins") for name in self._settings.disabled_plugins)]:
            if name not in known:
                raise SettingsError(path, f"no plugin {name!r} is installed; {did_you_mean(name, known)}")

    def _register_all(self, name: str) -> None:
        """Call every hook of one plugin; what it registers counts only when all of them succeed."""
        settings = self._settings_of(name)
        collected: list[tuple[str, Registrar[Any]]] = []
        try:
            for hook, kind in _HOOKS.items():
                collected.append((kind, self._call(name, hook, kind, settings)))
        except ObservatoryError:
            raise
        except (Exception, SystemExit) as error:  # the same edge: a hook of the plugin failed while it was loaded
            reason = f"failed while registering: {one_line(error)}"
            if name in self._settings.plugins:
                raise PluginError(name, f"{reason}; the settings name it, so it is needed") from error
            _log.warning("plugin %s is left out: it %s", name, reason, exc_info=error)
            self._infos[name] = attrs.evolve(self._infos[name], state="broken", reason=reason)
            return
        for kind, registrar in collected:
            self._merge(kind, registrar)
        names = tuple(f"{kind} {item}" for kind, registrar in collected for item in registrar.items)
        self._infos[name] = attrs.evolve(self._infos[name], registered=names)

    def _call(self, name: str, hook: str, kind: str, settings: Any) -> Registrar[Any]:
        registrar: Registrar[Any] = Registrar(kind, name, settings)
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        self._manager.subset_hook_caller(hook, others)(registrar=registrar)
        return registrar

    def _merge(self, kind: str, registrar: Registrar[Any]) -> None:
        for item_name, item in registrar.items.items():
            earlier = self._registered[kind].get(item_name)
            if earlier is not None:
                raise DuplicateNameError(
                    registrar.plugin, f"the {kind} {item_name!r} is registered by plugin {earlier.plugin!r} already"
                )
            self._registered[kind][item_name] = Registered(registrar.plugin, registrar.settings, item)

    def _settings_of(self, name: str) -> Any:
        data = self._settings.plugins.get(name, {})
        kind = getattr(self._manager.get_plugin(name), "settings_class", None)
        path = f"$.plugins.{name}"
        if kind is None:
            if data:
                raise SettingsError(f"{path}.{min(data)}", "unknown key; this plugin has no settings")
            return None
        return structure_settings(data, kind, path=path)


def _name_of(plugin: object) -> str:
    name = getattr(plugin, "name", None) or getattr(plugin, "__name__", None) or type(plugin).__name__
    return str(name)
