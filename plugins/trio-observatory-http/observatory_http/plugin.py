"""What Observatory loads through the entry point `http`: by every command, so what serves HTTP is imported late."""

from __future__ import annotations

from observatory import Context, Registrar, Service, ServiceFactory, hookimpl
from observatory_http.settings import HttpSettings

settings_class = HttpSettings


@hookimpl
def observatory_register_services(registrar: Registrar[ServiceFactory]) -> None:
    """Register the service `http`, unless it is turned off."""
    if registrar.settings.enabled:
        registrar.register("http", _make_service)


def _make_service(context: Context) -> Service:
    from observatory_http.server.service import HttpService

    return HttpService(context)
