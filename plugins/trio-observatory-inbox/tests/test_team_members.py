"""Who has a team inbox, and where: members, names that collide, and what stands in the way."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from observatory import Done, Failed, Outcome

WRITTEN = Done("written", "flushed")
BOB = "bob@night-shift"


async def dead(bench: Any, to: str) -> str:
    """Return why a message for a recipient is dead; nothing was written of it."""
    outcome: Outcome
    (outcome,) = await bench.channel.deliver([bench.post(to=to)])
    assert isinstance(outcome, Failed)
    assert outcome.permanent
    assert bench.files() == []
    return outcome.error


async def test_an_unknown_member_is_dead_with_the_nearest(bench: Any) -> None:
    """The error says who is meant, perhaps."""
    bench.team("bob", "alice")
    assert "did you mean 'alice@night-shift'?" in await dead(bench, "alise@night-shift")


async def test_an_unknown_team_is_dead_with_the_nearest(bench: Any) -> None:
    """So is a team that there is not."""
    bench.team("bob")
    assert "did you mean 'night-shift'?" in await dead(bench, "bob@nightshift")


async def test_without_any_team_the_error_says_so(bench: Any) -> None:
    """There need not even be the folder of teams."""
    assert "there is no team 'night-shift'; none is known" in await dead(bench, BOB)


@pytest.mark.parametrize("name", ["bob@", "@bob", "@"])
async def test_a_name_that_names_no_team_has_no_team_inbox(bench: Any, name: str) -> None:
    """Something has to stand on both sides of the `@`."""
    assert await bench.channel.deliver([bench.post(to=name)]) == [WRITTEN]


@pytest.mark.parametrize(
    ("member", "team", "path"),
    [
        ("al.ice", "night-shift", "night-shift/inboxes/al-ice.json"),
        ("bob", "night.shift+1", "night-shift-1/inboxes/bob.json"),
        ("b@b", "night_shift", "night_shift/inboxes/b-b.json"),
    ],
)
async def test_names_are_mapped(bench: Any, member: str, team: str, path: str) -> None:
    """Every character but letters, digits, `_` and `-` becomes a `-` in the names of the folder and the file."""
    bench.team(member, name=team)
    assert await bench.channel.deliver([bench.post(to=f"{member}@{team}")]) == [WRITTEN]
    assert (bench.root / "teams" / path).is_file()


async def test_members_whose_names_collide_are_an_error(bench: Any) -> None:
    """Both would get what is meant for one of them, so neither does."""
    folder = bench.team("al.ice", "al+ice", "bob")
    for name in ("al.ice", "al+ice"):
        assert "share the inbox al-ice.json" in await dead(bench, f"{name}@night-shift")
    assert not (folder / "inboxes/al-ice.json").exists()


async def test_teams_whose_names_collide_are_an_error(bench: Any) -> None:
    """A folder belongs to the team whose name stands in its `config.json`."""
    bench.team("bob", name="night.shift")
    assert "is the folder of team 'night.shift', not of 'night-shift'" in await dead(bench, BOB)


async def test_a_member_is_found_by_its_agent_id(bench: Any) -> None:
    """Where the names differ from it, it is the id that is a recipient's name."""
    folder = bench.team({"name": "Bob B.", "agentId": BOB})
    assert await bench.channel.deliver([bench.post(to=BOB)]) == [WRITTEN]
    assert (folder / "inboxes/Bob-B-.json").is_file()


async def test_config_is_read_leniently(bench: Any) -> None:
    """Members of an unknown shape are passed over, and a team without a name goes by its folder's."""
    folder = bench.team("bob")
    (folder / "config.json").write_text('{"members": [7, {"name": 1}, {"name": "bob", "color": 3, "new": {}}]}')
    assert await bench.channel.deliver([bench.post(to=BOB)]) == [WRITTEN]


async def test_config_is_never_written(bench: Any) -> None:
    """Neither its bytes nor its times change."""
    config: Any = bench.team("bob") / "config.json"
    before = config.read_bytes(), config.stat().st_mtime_ns, config.stat().st_ino
    await bench.channel.deliver([bench.post(to=BOB), bench.post(to="alice@night-shift")])
    assert (config.read_bytes(), config.stat().st_mtime_ns, config.stat().st_ino) == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"members": {}}', "null"])
async def test_config_that_cannot_be_read_is_tried_again(bench: Any, content: str) -> None:
    """Claude Code may be about to write it."""
    folder = bench.team("bob")
    (folder / "config.json").write_text(content)
    (outcome,) = await bench.channel.deliver([bench.post(to=BOB)])
    assert isinstance(outcome, Failed)
    assert not outcome.permanent
    assert "config.json" in outcome.error


async def test_a_folder_without_config_is_no_team(bench: Any) -> None:
    """What was left of a team, say."""
    (bench.team("bob") / "config.json").unlink()
    assert "it has no config.json" in await dead(bench, BOB)


@pytest.mark.parametrize("name", [".", "night-shift", "night-shift/config.json", "night-shift/inboxes"])
async def test_symbolic_links_are_refused(bench: Any, name: str) -> None:
    """Nothing is read or written through one, wherever it is."""
    inboxes = bench.team("bob") / "inboxes"
    inboxes.mkdir()
    place = bench.root / "teams" / name
    place.rename(bench.root / "elsewhere")
    place.symlink_to(bench.root / "elsewhere")
    assert "is a symbolic link" in await dead(bench, BOB)
    assert list(bench.root.rglob("bob.json")) == []


async def test_an_inbox_that_is_a_symbolic_link_is_refused(bench: Any) -> None:
    """What it leads to stays as it is."""
    inboxes = bench.team("bob") / "inboxes"
    inboxes.mkdir()
    target = bench.root / "target"
    target.write_text("[]")
    (inboxes / "bob.json").symlink_to(target)
    assert "is a symbolic link" in await dead(bench, BOB)
    assert target.read_text() == "[]"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
async def test_an_inbox_that_is_no_regular_file_is_refused(bench: Any, make: Any) -> None:
    """A folder or a FIFO in its place stays where it is."""
    inboxes = bench.team("bob") / "inboxes"
    inboxes.mkdir()
    make(inboxes / "bob.json")
    assert "is no regular file" in await dead(bench, BOB)


async def test_a_team_that_ends_meanwhile_is_dead(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may vanish at any moment; the error says that the team has ended."""
    folder = bench.team("bob")
    mkdir = os.mkdir

    def vanish(path: Any, *args: Any, **options: Any) -> None:
        if path == "inboxes":
            shutil.rmtree(folder)
        mkdir(path, *args, **options)

    monkeypatch.setattr(os, "mkdir", vanish)
    assert "team 'night-shift' has ended" in await dead(bench, BOB)
    assert "there is no team 'night-shift'" in await dead(bench, BOB)


async def test_an_inboxes_folder_that_ends_meanwhile_is_tried_again(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The team is there, so its member's inbox can be made again."""
    inboxes = bench.team("bob") / "inboxes"
    inboxes.mkdir()
    mkdir = os.mkdir

    def vanish(path: Any, *args: Any, **options: Any) -> None:
        if path == "bob.json.lock":
            shutil.rmtree(inboxes)
        mkdir(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", vanish)
        (outcome,) = await bench.channel.deliver([bench.post(to=BOB)])
    assert isinstance(outcome, Failed)
    assert not outcome.permanent
    assert await bench.channel.deliver([bench.post(to=BOB)]) == [WRITTEN]


async def test_a_dead_recipient_holds_no_other_back(bench: Any) -> None:
    """In one batch, others of the same team and others without one are served."""
    bench.team("bob")
    outcomes = await bench.channel.deliver([bench.post(to=to) for to in ("x@night-shift", BOB, "agent-42")])
    assert outcomes[1:] == [WRITTEN] * 2
