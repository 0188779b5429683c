"""Figures as Prometheus reads them."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from observatory.testing import RecordingChannel, observatory_plugin


async def test_figures(open_house: Any) -> None:
    """Those of the core, of lanes and of services are there, and whether each part runs."""
    plugin = observatory_plugin("mine", channels={"mine": lambda context: RecordingChannel()})
    async with open_house(plugins=(plugin,)) as house, house.client() as client:
        await house.obs.mailbox.send_message("a", "b", "hello")
        response = await client.get("metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = {
            (sample.name, sample.labels.get("name")): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }
    assert found["observatory_mailbox_unread", None] == 1
    assert found["observatory_lane_capacity", "mine"] > 0
    assert found["observatory_service_requests", "http"] == 1
    assert found["observatory_restarts", "service:http"] == 0
    assert found["observatory_running", "module:Mailbox"] == 1


async def test_ready(open_house: Any) -> None:
    """While everything runs, all is well."""
    async with open_house() as house, house.client() as client:
        assert (await client.get("healthz")).text == "ok\n"
        assert (await client.get("readyz")).text == "ok\n"
