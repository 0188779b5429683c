"""Finding a part of an Observatory by its class or its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from observatory.abc import ChannelT, DeliveryChannel, Module, ModuleT, Service, ServiceT
from observatory.arguments import pick


class Lookup:
    """What an Observatory consists of."""

    def __init__(self) -> None:
        self._modules: dict[str, Module] = {}
        self._services: dict[str, Service] = {}
        self._channels: Mapping[str, DeliveryChannel] = {}

    @overload
    def module(self, which: type[ModuleT]) -> ModuleT: ...
    @overload
    def module(self, which: str) -> Any: ...
    def module(self, which: type[Any] | str) -> Any:
        """Return the module of that class, or of the name it was registered under.

        Raises:
            InvalidInputError: it is neither a name nor a class of modules.
            UnknownNameError: when none is registered.
        """
        return pick("module", Module, self._modules, which)

    @overload
    def service(self, which: type[ServiceT]) -> ServiceT: ...
    @overload
    def service(self, which: str) -> Any: ...
    def service(self, which: type[Any] | str) -> Any:
        """Return the service of that class, or of the name it was registered under.

        Raises:
            InvalidInputError: it is neither a name nor a class of services.
            UnknownNameError: when none is registered.
        """
        return pick("service", Service, self._services, which)

    @overload
    def channel(self, which: type[ChannelT]) -> ChannelT: ...
    @overload
    def channel(self, which: str) -> Any: ...
    def channel(self, which: type[Any] | str) -> Any:
        """Return the delivery channel of that class, or of the name it was registered under.

        Raises:
            InvalidInputError: it is neither a name nor a class of delivery channels.
            UnknownNameError: when none is registered, or the settings disable it.
        """
        return pick("delivery channel", DeliveryChannel, self._channels, which)
