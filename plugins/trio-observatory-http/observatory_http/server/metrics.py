"""Figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from observatory import Overview, to_wire

_NAMED = {"lanes": "lane", "channels": "channel", "services": "service", "restarts": "restarts"}
"""Figures that there are of each of several: the label `name` says of which."""


def metrics_of(observatory: Overview | None) -> tuple[bytes, str]:
    """Return the figures of an Observatory and of all its parts, and the media type of that."""
    registry = CollectorRegistry(auto_describe=False)
    if observatory is not None:
        registry.register(_Figures(observatory))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Figures(Collector):
    """Collects them when it is asked.

    Args:
        observatory: whose.
    """

    def __init__(self, observatory: Overview) -> None:
        self._observatory = observatory

    def collect(self) -> Iterator[Metric]:
        """Yield each figure; lists only with their length."""
        metrics: dict[str, Metric] = {}
        for name, labels, value in self._samples():
            metric = metrics.setdefault(name, Metric(name, "See the reference of figures.", "untyped"))
            metric.add_sample(name, labels, value)
        yield from metrics.values()

    def _samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        for part, figures in to_wire(self._observatory.statistics()).items():
            if part in _NAMED:
                for name, inner in figures.items():
                    for path, value in _leaves(f"observatory_{_NAMED[part]}", inner):
                        yield path, {"name": name}, value
            else:
                for path, value in _leaves(f"observatory_{part}", figures):
                    yield path, {}, value
        for child in self._observatory.health().children:
            yield "observatory_running", {"name": child.name}, float(child.state == "running")


def _leaves(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}_{_plain(str(key))}", inner)
    elif isinstance(value, list | tuple):
        yield path, float(len(value))
    elif isinstance(value, int | float):
        yield path, float(value)


def _plain(key: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key)
