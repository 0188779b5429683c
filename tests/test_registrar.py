"""What a hook is handed: names are checked, and refused twice."""

from typing import Any

import pytest

from observatory.errors import CanonicalNameError, DuplicateNameError, PluginError
from observatory.registrar import Registrar


def make() -> None:
    """Stand for a factory."""


@pytest.fixture
def registrar() -> Registrar[Any]:
    """A registrar of modules for a plugin called `mine`."""
    return Registrar("module", "mine", "its settings")


def test_register(registrar: Registrar[Any]) -> None:
    """What is registered is kept under its name, in order; plugin and settings can be read."""
    registrar.register("b", make)
    registrar.register("a-1_X", print)
    assert list(registrar.items.items()) == [("b", make), ("a-1_X", print)]
    assert (registrar.plugin, registrar.settings) == ("mine", "its settings")


@pytest.mark.parametrize("name", ["", "1a", "-a", "a b", "a/b", "a\n", "ä", "a" * 65, None, 5])
def test_bad_names(registrar: Registrar[Any], name: Any) -> None:
    """A name of another form is refused, with the form that is allowed."""
    with pytest.raises(PluginError, match="cannot name a module: a letter, then up to 63 letters, digits"):
        registrar.register(name, make)
    assert registrar.items == {}


@pytest.mark.parametrize("name", ["Mailbox", "Notes", "ProtocolTracker", "SwarmMonitor"])
def test_canonical(registrar: Registrar[Any], name: str) -> None:
    """The name of a canonical module is refused."""
    with pytest.raises(CanonicalNameError, match=f"plugin 'mine': '{name}' is a canonical module"):
        registrar.register(name, make)


@pytest.mark.parametrize("name", ["api", "healthz", "metrics", "readyz"])
def test_routes_of_the_service(name: str) -> None:
    """So is that of a route that the HTTP service has itself."""
    with pytest.raises(CanonicalNameError, match=f"'{name}' is a route of the HTTP service itself"):
        Registrar[Any]("route", "mine").register(name, make)


def test_twice(registrar: Registrar[Any]) -> None:
    """A name is refused the second time, and the first registration stands."""
    registrar.register("a", make)
    with pytest.raises(DuplicateNameError, match="plugin 'mine': registers the module 'a' twice"):
        registrar.register("a", print)
    assert registrar.items == {"a": make}


def test_not_callable(registrar: Registrar[Any]) -> None:
    """What cannot be called is refused."""
    with pytest.raises(PluginError, match="the module 'a' is a int and cannot be called"):
        registrar.register("a", 5)
