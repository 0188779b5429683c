"""What an agent may do about tasks over a door, and what only the service's owner may."""

from __future__ import annotations

from typing import Any

import pytest

from observatory import ForbiddenError, Identity, SwarmMonitor, TaskRefusedError

AGENT, OWNER = Identity("ann"), Identity(None)


async def test_an_agent_acts_as_itself(source: Any, monitor: SwarmMonitor) -> None:
    """Over a door an agent claims and completes in its own name, and in no other."""
    source.put("/work", {"id": "a", "status": "pending"}, {"id": "b", "status": "pending"})
    await monitor.refresh()
    with pytest.raises(ForbiddenError, match="bob"):
        await monitor.claim_task("a", "bob", identity=AGENT)
    await monitor.claim_task("a", "ann", identity=AGENT)
    await monitor.claim_task("b", "bob", identity=OWNER)
    with pytest.raises(TaskRefusedError, match="only its owner"):
        await monitor.complete_task("b", identity=AGENT)
    assert (await monitor.complete_task("a", identity=AGENT)).status == "completed"
    assert (await monitor.complete_task("b", identity=OWNER)).status == "completed"


async def test_an_agent_names_no_folder(source: Any, monitor: SwarmMonitor) -> None:
    """Nor does it say which folders are looked into, or what is put aside; of those that are it may name any."""
    source.put("/work", {"id": "a", "status": "pending"})
    source.put("/other", {"id": "a", "status": "pending"})
    await monitor.refresh()
    for call in (
        lambda: monitor.add_project("/etc", identity=AGENT),
        lambda: monitor.set_active_project("/other", identity=AGENT),
        lambda: monitor.collect_garbage(identity=AGENT),
        lambda: monitor.claim_task("a", "ann", project="/etc", identity=AGENT),
    ):
        with pytest.raises(ForbiddenError, match="only the holder of the service's own token"):
            await call()
    assert (await monitor.claim_task("a", "ann", project="/other", identity=AGENT)).owner == "ann"
