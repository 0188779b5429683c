"""What a registry holds is exchanged as a whole: by a reload, or by hand."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from observatory_skills import SkillRegistry, SkillsUpdate

from observatory import (
    Event,
    ForbiddenError,
    Identity,
    PubSub,
    SkillSourceError,
)
from observatory.testing import cancel_at_every_checkpoint


async def test_reload(shelf_of: Any, running: Any) -> None:
    """It takes over what was added, changed and removed, and returns and tells what that is."""
    shelf, pubsub = shelf_of("pdf", "csv", "xls"), PubSub()
    async with running(shelf, pubsub=pubsub) as registry, pubsub.subscribe("skills:update") as events:
        shelf.put("csv", "Does something else.")
        shelf.put("xls", body="Another way.")  # nothing that an agent is told at first
        shelf.put("doc")
        del shelf.texts["pdf"]
        update = await registry.reload()
        assert update == SkillsUpdate("skills", added=("doc",), changed=("csv", "xls"), removed=("pdf",))
        event: Event = await anext(events)
        assert event.payload == update
        assert [skill.name for skill in registry.list()] == ["csv", "xls", "doc"]


async def test_nothing_has_changed(shelf_of: Any, running: Any) -> None:
    """Then nothing is told, and every skill is the same object."""
    shelf, pubsub = shelf_of("pdf"), PubSub()
    async with running(shelf, pubsub=pubsub) as registry, pubsub.subscribe("skills:update") as events:
        before = registry.get("pdf")
        assert await registry.reload() == SkillsUpdate("skills")
        assert registry.get("pdf") is before
        assert events.receive_batch_nowait() == []


async def test_a_reload_that_fails(shelf_of: Any, running: Any) -> None:
    """It changes nothing, not even of sources that are well, and says what failed."""
    well, ill = shelf_of("pdf"), shelf_of("csv", where="ill")
    async with running(well, ill) as registry:
        well.put("doc")
        ill.fault = "the disk is gone"
        with pytest.raises(SkillSourceError, match="ill: the disk is gone"):
            await registry.reload()
        assert [skill.name for skill in registry.list()] == ["pdf", "csv"]
        assert registry.statistics()["failure"] == "ill: the disk is gone"
        ill.fault = None
        assert (await registry.reload()).added == ("doc",)
        assert registry.statistics()["failure"] is None


async def test_an_agent_cannot_reload(shelf_of: Any, running: Any) -> None:
    """Only whoever holds the service's own token can."""
    async with running(shelf_of()) as registry:
        with pytest.raises(ForbiddenError, match="only the holder of the service's own token may load skills again"):
            await registry.reload(identity=Identity("ann"))
        await registry.reload(identity=Identity(None))


async def test_readers_never_see_a_mixture(shelf_of: Any, running: Any) -> None:
    """A hundred tasks that read while everything is exchanged see all of the old or all of the new."""
    shelf = shelf_of()
    names = [f"skill-{number}" for number in range(50)]
    shelf.put_all(names, "0")
    seen: set[str] = set()

    async def read(registry: SkillRegistry) -> None:
        while True:
            versions = {skill.description for skill in registry.list()}
            assert len(versions) == 1
            assert registry.count() == 50
            seen.update(versions)
            await trio.lowlevel.checkpoint()

    async with running(shelf) as registry, trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(read, registry)
        for version in range(1, 10):
            shelf.put_all(names, str(version))
            await registry.reload()
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert {"0", "9"} <= seen


@pytest.mark.parametrize("act", ["reload", "register", "unregister"])
async def test_cancelled(shelf_of: Any, running: Any, act: str) -> None:
    """Cancelled anywhere, it has happened as a whole or not at all, and the registry goes on."""
    shelf = shelf_of("pdf", "csv")
    async with running(shelf) as registry:
        csv = registry.get("csv")
        assert csv is not None

        async def change() -> None:
            if act == "reload":
                shelf.put_all(["pdf", "csv"], str(shelf.looked))
                await registry.reload()
            elif act == "register":
                await registry.register([csv])
            else:
                await registry.unregister("csv")

        async def look() -> None:
            assert registry.list() == registry.loaded().skills
            assert len({skill.description for skill in registry.list()}) == 1
            if registry.get("csv") is None:
                await registry.register([csv])

        await cancel_at_every_checkpoint(change, look)
        await registry.reload()
