"""What tests of a swarm's tasks share: how a few fields become a file, and that what is read of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest

from observatory.swarm.pipeline import read
from observatory.swarm.values import Pipeline

Fields: TypeAlias = Mapping[str, Any]

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def now() -> datetime:
    """Return what time it is."""
    return NOW


@pytest.fixture(scope="session")
def pipeline_of() -> Callable[[Iterable[Fields]], Pipeline]:
    """Return what tells how tasks stand; those that do not say otherwise are pending."""

    def pipeline_of(tasks: Iterable[Fields]) -> Pipeline:
        data = b"".join([json.dumps({"status": "pending"} | dict(fields)).encode() + b"\n" for fields in tasks])
        return read(data, "tasks.jsonl", NOW).pipeline

    return pipeline_of
