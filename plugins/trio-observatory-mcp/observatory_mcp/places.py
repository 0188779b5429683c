"""The addresses of what can be read."""

from __future__ import annotations

from urllib.parse import quote, unquote

_SCHEME = "observatory://"
NOTES = f"{_SCHEME}notes"
SWARM = f"{_SCHEME}swarm"
SKILLS = f"{_SCHEME}skills"


def inbox(agent: str) -> str:
    """Return the address of an agent's inbox."""
    return f"{_SCHEME}inbox/{agent}"


def note(key: str) -> str:
    """Return the address of a note."""
    return f"{NOTES}/{quote(key, safe='')}"


def skill(name: str) -> str:
    """Return the address of a skill's instructions; those of its files are below it."""
    return f"{SKILLS}/{quote(name, safe='')}"


def parts_of(uri: str) -> list[str]:
    """Return the parts of an address: what it is of, then names, and last the path of a file, if there is one."""
    if not uri.startswith(_SCHEME):
        return []
    return [unquote(part) for part in uri.removeprefix(_SCHEME).split("/", 2)]
