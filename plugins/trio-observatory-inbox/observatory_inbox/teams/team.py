"""Teams and their members: where the inbox of `agent@team` is. Nothing but its folder `inboxes` is ever written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import attrs

from observatory import Failed, UnknownNameError
from observatory_inbox.files.access import explain, is_hopeless, make_directory, open_directory, read_file
from observatory_inbox.files.listing import entries_of
from observatory_inbox.teams.format import Member, Roster, UnreadableError, file_name, read_roster

CONFIG = "config.json"
INBOXES = "inboxes"
CONFIG_BYTES = 8 * 1024 * 1024


class NotDeliveredError(Exception):
    """Raised when nothing can be appended to a team inbox, at least not now.

    Attributes:
        outcome: the failure, in one line.
    """

    def __init__(self, error: str, *, permanent: bool) -> None:
        super().__init__(error)
        self.outcome = Failed(error, permanent)

    @classmethod
    def because(cls, error: OSError, path: str) -> NotDeliveredError:
        """Return one that says what is wrong with a path."""
        return cls(explain(error, path), permanent=is_hopeless(error))


class UnknownMemberError(NotDeliveredError):
    """Raised when there is no such team, or no such member in it: somebody has to say who is meant."""

    def __init__(self, error: str) -> None:
        super().__init__(error, permanent=True)


@attrs.frozen
class Address:
    """A recipient that is a member of a team."""

    agent: str
    """The member's name in the team."""
    team: str
    """The team's name."""

    def __str__(self) -> str:
        return f"{self.agent}@{self.team}"


def address_of(to: str) -> Address | None:
    """Return the address that a recipient's name is, or None when it names no team."""
    agent, _, team = to.rpartition("@")
    return Address(agent, team) if agent and team else None


def folder_of(folder: str, address: Address) -> str:
    """Return the path of a team's folder, in the folder of all teams."""
    return os.path.join(folder, file_name(address.team))


@attrs.frozen
class Seat:
    """Where a member's inbox is."""

    directory: int
    """Descriptor of the folder that holds it."""
    team: int
    """Descriptor of the team's folder, which holds that one."""
    path: str
    """That folder's path."""
    name: str
    """The inbox file's name."""
    roster: Roster
    """Who else is in the team."""

    def color_of(self, sender: str) -> str | None:
        """Return the colour of a sender that is a member, and has one."""
        return next((each.color for each in self.roster.members if sender in (each.name, each.agent_id)), None)


@contextmanager
def open_seat(folder: str, address: Address) -> Iterator[Seat]:
    """Find a member's inbox, and hold its folder open; the folder is made where it is missing.

    Args:
        folder: the path of the folder of all teams.
        address: whose.

    Raises:
        NotDeliveredError: there is no such team or member, or its inbox is not its alone: for good; or `config.json`
            cannot be read.
        FileNotFoundError: the team is gone meanwhile.
    """
    path = folder_of(folder, address)
    team = _open_team(folder, path, address)
    try:
        roster = _read_config(team, path)
        member = _check(roster, address, path)
        directory = _open_inboxes(team, path)
        try:
            yield Seat(directory, team, os.path.join(path, INBOXES), f"{file_name(member.name)}.json", roster)
        finally:
            os.close(directory)
    finally:
        os.close(team)


def find_member(folder: str, address: Address) -> Member:
    """Look a member up; nothing is made.

    Args:
        folder: the path of the folder of all teams.
        address: whose.

    Raises:
        UnknownMemberError: there is no such team or member.
        NotDeliveredError: its inbox is not its alone; or that cannot be told.
        OSError: that cannot be told.
    """
    path = folder_of(folder, address)
    team = _open_team(folder, path, address)
    try:
        return _check(_read_config(team, path), address, path)
    finally:
        os.close(team)


def _open_team(folder: str, path: str, address: Address) -> int:
    try:
        teams = open_directory(folder)
    except FileNotFoundError:
        raise _unknown("team", address.team, ()) from None
    except OSError as error:
        raise NotDeliveredError.because(error, folder) from error
    try:
        return open_directory(os.path.basename(path), teams)
    except FileNotFoundError:
        names = [entry.name for entry in entries_of(teams) if entry.is_dir(follow_symlinks=False)]
        raise _unknown("team", address.team, names) from None
    except OSError as error:
        raise NotDeliveredError.because(error, path) from error
    finally:
        os.close(teams)


def _open_inboxes(team: int, path: str) -> int:
    try:
        try:
            return open_directory(INBOXES, team)
        except FileNotFoundError:
            return make_directory(INBOXES, team)
    except FileNotFoundError:
        raise  # so the team is gone as well
    except OSError as error:
        raise NotDeliveredError.because(error, os.path.join(path, INBOXES)) from error


def _read_config(team: int, path: str) -> Roster:
    config = os.path.join(path, CONFIG)
    try:
        raw = read_file(CONFIG, team, CONFIG_BYTES)
        if raw is None:
            raise NotDeliveredError(f"{config!r} is no file of at most {CONFIG_BYTES:,} bytes", permanent=True)
        return read_roster(raw)
    except FileNotFoundError:
        raise UnknownMemberError(f"{path!r} is no team: it has no {CONFIG}") from None
    except OSError as error:
        raise NotDeliveredError.because(error, config) from error
    except UnreadableError as error:  # it may be about to be written
        raise NotDeliveredError(f"{config!r} cannot be read: {error}", permanent=False) from error


def _check(roster: Roster, address: Address, path: str) -> Member:
    """Return the member, if its inbox is its alone."""
    team = roster.name or os.path.basename(path)
    by_name = address.agent if team == address.team else None
    member = next((each for each in roster.members if each.agent_id == str(address) or each.name == by_name), None)
    if member is None and by_name is None:
        raise UnknownMemberError(f"{path!r} is the folder of team {team!r}, not of {address.team!r}")
    if member is None:
        raise _unknown("team member", str(address), [f"{each.name}@{team}" for each in roster.members])
    for each in roster.members:
        if each.name != member.name and file_name(each.name) == file_name(member.name):
            both = f"{member.name!r} and {each.name!r} of team {team!r}"
            raise NotDeliveredError(f"{both} share the inbox {file_name(each.name)}.json", permanent=True)
    return member


def _unknown(kind: str, name: str, known: Iterable[str]) -> UnknownMemberError:
    return UnknownMemberError(str(UnknownNameError(kind, name, known)))
