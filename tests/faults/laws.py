"""What is found after a process was killed, or has failed, and the laws that hold of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from observatory import Message, ObservatoryError, Receipt, open_observatory
from tests.faults.killing import History
from tests.faults.sender import let_locks_be_stale, settings_of


@attrs.frozen
class Found:
    """What is there after a process has ended, and what the next one makes of it."""

    history: History
    stored: bool
    """Whether storage lasts."""
    files: Mapping[tuple[str, str], int]
    """Bytes of each file that has its final name, by recipient and id, before anybody looked."""
    temporary: int
    """How many files had a temporary name."""
    messages: Mapping[str, list[Message]]
    """What is recovered, by recipient, oldest first."""
    left: Mapping[str, int]
    """What the inbox did not recover, by reason."""
    repeats: Mapping[str, Receipt]
    """The receipts of sends that were repeated under their keys, by tag."""
    files_in_the_end: frozenset[tuple[str, str]]
    """The files after the next process has ended, too."""
    teams: Sequence[tuple[str, bytes]]
    """Recipients and their team inboxes, before anybody looked and in the end."""

    @property
    def everything(self) -> list[Message]:
        """Everything that was recovered."""
        return [message for messages in self.messages.values() for message in messages]


async def find(root: Path, setup: str, history: History) -> Found:
    """Open an Observatory on the root, look at everything, and repeat the sends that had a key."""
    files, temporary, teams = _files(root), _temporary(root), _team_inboxes(root)
    let_locks_be_stale(root)
    async with open_observatory(settings_of(root, setup), services=False) as observatory:
        mailbox, stored = observatory.mailbox, setup.startswith("sqlite")
        messages = {agent: mailbox.get_messages(agent, limit=100_000)[::-1] for agent in mailbox.get_stats()}
        left = observatory.statistics().channels["inbox"]["left"]
        repeats = {}
        for tag, content in history.contents().items() if stored else ():
            if tag.endswith("k:"):
                sender = tag.partition(".")[0]
                repeats[tag] = await mailbox.send_message(history.sent[tag][0], sender, content, idempotency_key=tag)
    return Found(
        history,
        stored,
        files,
        temporary,
        messages,
        left,
        repeats,
        frozenset(_files(root)),
        [*teams, *_team_inboxes(root)],
    )


def _files(root: Path) -> dict[tuple[str, str], int]:
    return {(path.parent.name, path.stem): path.stat().st_size for path in root.glob("inbox/*/*.json")}


def _temporary(root: Path) -> int:
    return sum(1 for _ in root.glob("inbox/*/*.tmp"))


def _team_inboxes(root: Path) -> list[tuple[str, bytes]]:
    paths = root.glob("teams/*/inboxes/*.json")
    return [(f"{path.stem}@{path.parts[-3]}", path.read_bytes()) for path in paths]


def lost(found: Found) -> Iterator[str]:
    """What was receipted and is not there: the file was written, or storage lasts; and nobody acknowledges it."""
    unread = {(message.to, message.id) for message in found.everything if not message.read}
    history = found.history
    for (tag, to), receipt in history.receipts.items():
        promised = found.stored or receipt.state == "written"
        if promised and receipt.id not in history.acknowledging and (to, receipt.id) not in unread:
            yield tag


def forgotten(found: Found) -> Iterator[str]:
    """What storage that lasts has lost of what was acknowledged, or has not been: read ones are there, and read."""
    if found.stored:
        read = {message.id for message in found.everything if message.read}
        yield from found.history.acknowledged - read - found.history.cleared
        yield from read - found.history.acknowledging


def back(found: Found) -> Iterator[str]:
    """What was acknowledged, and the acknowledgement returned, or what was cleared, and is unread again."""
    gone = found.history.acknowledged | (found.history.committed if found.stored else set())
    yield from gone & {message.id for message in found.everything if not message.read}


def halved(found: Found) -> Iterator[str]:
    """What is unread of a mailbox that was to be cleared with one commit, while another part of it is gone."""
    clearing = found.history.half_cleared
    left = clearing & {message.id for message in found.everything if not message.read}
    if found.stored and left != clearing:
        yield from left


def twice(found: Found) -> Iterator[str]:
    """What is there twice: an id, or a content for one recipient."""
    ids = Counter(message.id for message in found.everything)
    contents = Counter((message.to, message.content) for message in found.everything)
    yield from (id for id, count in ids.items() if count > 1)
    yield from (content for (_, content), count in contents.items() if count > 1)


def disordered(found: Found) -> Iterator[str]:
    """Who has messages in another order than that of the numbers in their receipts."""
    numbers = {each.id: (each.life, each.sequence) for each in found.history.receipts.values()}
    for to, messages in found.messages.items():
        known = [numbers[message.id] for message in messages if message.id in numbers]
        if known != sorted(known):
            yield to


def renumbered(found: Found) -> Iterator[str]:
    """Whose numbers were given twice, or went back after a restart: with storage that lasts they never do."""
    if found.stored:
        highest: dict[str, int] = {}
        for receipt in sorted(found.history.receipts.values(), key=lambda each: (each.life, each.sequence)):
            if receipt.sequence <= highest.get(receipt.to, 0):
                yield receipt.to
            highest[receipt.to] = receipt.sequence


def damaged(found: Found) -> Iterator[str]:
    """What is there, and was never sent like that."""
    contents, sent = found.history.contents(), found.history.sent
    for message in found.everything:
        tag = message.content.partition(":")[0] + ":"
        if contents.get(tag) != message.content or sent[tag][0] not in (message.to, "*"):
            yield message.id


def misappended(found: Found) -> Iterator[str]:
    """What is in a team inbox twice or half, or is not there although the receipt says so, or there is a file."""
    contents = set(found.history.contents().values())
    appended: dict[str, Counter[str]] = {}
    for to, raw in found.teams:
        try:
            entries = json.loads(raw)
        except ValueError:
            yield f"the inbox of {to}"
            continue
        ids = Counter(entry["msg_id"] for entry in entries)
        yield from (id for id, count in ids.items() if count > 1)
        yield from (entry["msg_id"] for entry in entries if entry["text"] not in contents)
        appended[to] = ids
    for (tag, to), receipt in found.history.receipts.items():
        if "@" in to and receipt.state == "written" and receipt.id not in appended.get(to, ()):
            yield tag
    yield from (f"{to}/{id}" for to, id in found.files if "@" in to and id not in appended.get(to, ()))


def reordered(found: Found) -> Iterator[str]:
    """Who has a team inbox with entries in another order than that of the numbers in their receipts.

    Only what was a dead letter may stand later than its number says: others have overtaken it. Everything else has its
    place. What fails holds back what is behind it; what is repeated under its key has the number that it had, or one of
    the life that it was new in; and what a life has committed and not appended, the next one appends before all new.
    """
    receipts = {each.id: each for each in found.history.receipts.values() if each.id not in found.history.dead}
    for to, raw in found.teams:
        with suppress(ValueError):  # it is half: `misappended`
            known = [receipts[entry["msg_id"]] for entry in json.loads(raw) if entry["msg_id"] in receipts]
            numbers = [(each.life, each.sequence) for each in known]
            if numbers != sorted(numbers):
                yield to


def refused(found: Found) -> Iterator[str]:
    """What was refused, and is there all the same."""
    tags = {message.content.partition(":")[0] + ":" for message in found.everything}
    yield from found.history.refused & tags


def unrecovered(found: Found) -> Iterator[str]:
    """Which files with a final name are no messages that are recovered, and were not cleared either."""
    known = {(message.to, message.id) for message in found.everything}
    yield from (f"{to}/{id}" for to, id in found.files.keys() - known if id not in found.history.cleared)
    yield from found.left


def fileless(found: Found) -> Iterator[str]:
    """Which unread messages have no file in the end, and which files no unread message."""
    unread = {(message.to, message.id) for message in found.everything if not message.read}
    unread |= {(receipt.message.to, receipt.message.id) for receipt in found.repeats.values() if not receipt.duplicate}
    yield from (f"{to}/{id}" for to, id in found.files_in_the_end ^ unread)


def overstated(found: Found) -> Iterator[str]:
    """Which receipts said `written` when there was no file, or one that was not whole."""
    for (tag, to), receipt in found.history.receipts.items():
        if receipt.state != "written" or receipt.life < found.history.lives:
            continue  # it says nothing, or was looked at already, and may have been acknowledged since
        if receipt.size is None or found.files.get((to, receipt.id), receipt.size) != receipt.size:
            yield tag


def resent(found: Found) -> Iterator[str]:
    """Which sends, repeated under their key, did not get the receipt that they had, or the message that is there."""
    there = {message.content: message.id for message in found.everything}
    for tag, receipt in found.repeats.items():
        message = receipt.message
        first = found.history.receipts.get((tag, message.to))
        id = first.id if first else there.get(message.content)
        sequence = first.sequence if first else receipt.sequence
        if receipt.duplicate != (id is not None) or (id or message.id, sequence) != (message.id, receipt.sequence):
            yield tag


LAWS: Sequence[Callable[[Found], Iterator[str]]] = (
    lost,
    forgotten,
    back,
    halved,
    twice,
    disordered,
    renumbered,
    damaged,
    misappended,
    reordered,
    refused,
    unrecovered,
    fileless,
    overstated,
    resent,
)
"""What must not be: each yields what breaks it."""

NAMES = ("unopened", *(law.__name__ for law in LAWS))
"""Of all of them, and of the first: that the next process can use what is there at all."""


class Findings:
    """What was found to break a law in many runs: of each run the first, and their number."""

    def __init__(self) -> None:
        self._broken: dict[str, list[str]] = {}

    async def examine(self, root: Path, setup: str, history: History, run: str) -> Found | None:
        """Look at what is there, and at all laws; what is found is history then."""
        try:
            found = await find(root, setup, history)
        except ObservatoryError as error:
            self.add("unopened", run, iter([str(error)]))
            return None
        for law in LAWS:
            self.add(law.__name__, run, law(found))
        for tag, receipt in found.repeats.items():
            history.repeated(tag, receipt)
        return found

    def add(self, law: str, run: str, broken: Iterator[str]) -> None:
        """Note what breaks a law."""
        first = next(broken, None)
        if first is not None:
            self._broken.setdefault(law, []).append(f"{run}: {first[:200]} and {sum(1 for _ in broken)} more")

    def of(self, law: str) -> list[str]:
        """Return the runs that break a law, and one thing in each that does."""
        return self._broken.get(law, [])
