"""For plugin authors: conformance suites, fakes, fixtures, and cancelling at every checkpoint. Needs pytest-trio."""

# laws, running, refused, samples, plain, same, exposing, calls, presence   what the suites share
# storage, channels, modules, skill_sources, routes, services, policies, checks, clients, plugins   one suite each
# cancelling   a function cancelled wherever it can be
# fakes        delivery channels and storage that do what a test wants; plugins made on the spot
# fixtures     for pytest; to be imported by a conftest.py

import pytest

_SUITES = (
    "storage",
    "channels",
    "modules",
    "services",
    "skill_sources",
    "routes",
    "policies",
    "checks",
    "clients",
    "plugins",
    "laws",
    "running",
    "same",
    "exposing",
    "calls",
)
pytest.register_assert_rewrite(*(f"{__name__}.{suite}" for suite in _SUITES))  # before they are imported

from observatory.testing.cancelling import cancel_at_every_checkpoint as cancel_at_every_checkpoint  # noqa: E402
from observatory.testing.channels import DeliveryChannelConformance as DeliveryChannelConformance  # noqa: E402
from observatory.testing.checks import CheckConformance as CheckConformance  # noqa: E402
from observatory.testing.clients import ClientConformance as ClientConformance  # noqa: E402
from observatory.testing.fakes import (  # noqa: E402
    DurableStorage as DurableStorage,
    FailingChannel as FailingChannel,
    FailingStorage as FailingStorage,
    RecordingChannel as RecordingChannel,
    StuckChannel as StuckChannel,
    observatory_plugin as observatory_plugin,
)
from observatory.testing.modules import ModuleConformance as ModuleConformance  # noqa: E402
from observatory.testing.plugins import PluginConformance as PluginConformance  # noqa: E402
from observatory.testing.policies import PolicyConformance as PolicyConformance  # noqa: E402
from observatory.testing.routes import RouteConformance as RouteConformance  # noqa: E402
from observatory.testing.services import ServiceConformance as ServiceConformance  # noqa: E402
from observatory.testing.skill_sources import SkillSourceConformance as SkillSourceConformance  # noqa: E402
from observatory.testing.storage import StorageBackendConformance as StorageBackendConformance  # noqa: E402
