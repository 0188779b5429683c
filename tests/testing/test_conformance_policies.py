"""The suite for policies passes those that keep the laws, and finds those that do not."""

import itertools
from typing import Any

import attrs
import pytest
import trio

from observatory import Draft, Policy, PolicyRefusedError
from observatory.testing import PolicyConformance

SPAM = Draft("a", "b", "buy now")


def lower(draft: Draft) -> Draft:
    """Write the content in lower case, and refuse advertisements."""
    if "buy" in draft.content:
        raise PolicyRefusedError("lower", "no advertisements")
    return attrs.evolve(draft, content=draft.content.lower())


class TestLower(PolicyConformance):
    """A policy that changes and refuses."""

    drafts = (Draft("a", "b", "HELLO"),)
    refused = (SPAM,)

    @pytest.fixture
    def policy(self) -> Policy:
        """Return it."""
        return lower


def changes_metadata(draft: Draft) -> Draft:
    """Change what it was given."""
    draft.metadata["seen"] = True  # type: ignore[index]
    return draft


def raises(draft: Draft) -> Draft:
    """Refuse with an error of its own."""
    raise ValueError("no")


async def waits(draft: Draft) -> Draft:
    """Wait, and admit."""
    await trio.lowlevel.checkpoint()
    return draft


def waits_inside(draft: Draft) -> Draft:
    """Use what is only there on Trio."""
    trio.current_time()
    return draft


def appends(draft: Draft) -> Draft:
    """Write something behind the content, every time."""
    return attrs.evolve(draft, content=f"{draft.content}!")


numbers = itertools.count()


def numbered(draft: Draft) -> Draft:
    """Number the drafts."""
    return attrs.evolve(draft, content=str(next(numbers)))


class Suite(PolicyConformance):
    """Has something that must be refused."""

    drafts = (Draft("a", "b", "c", metadata={}),)
    refused = (SPAM,)


def admits(draft: Draft) -> Draft:
    """Admit everything."""
    return draft


@pytest.mark.parametrize(
    ("law", "policy", "error", "finding"),
    [
        (Suite().test_refuses, admits, AssertionError, "it admits Draft"),
        (Suite().test_refuses, changes_metadata, (AssertionError, TypeError), "changed the draft|cannot be changed"),
        (Suite().test_refuses, raises, ValueError, "no"),
        (Suite().test_same_answer, waits, AssertionError, "it returns no draft but <coroutine"),
        (Suite().test_same_answer, waits_inside, RuntimeError, "async context"),
        (Suite().test_same_answer, numbered, AssertionError, "another answer"),
        (Suite().test_accepts_its_answer, appends, AssertionError, "assert"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine 'waits' was never awaited")
def test_broken(law: Any, policy: Any, error: Any, finding: str) -> None:
    """A law that is broken is found, by the test of that law."""
    with pytest.raises(error, match=finding):
        law(policy)


def test_refused_answer() -> None:
    """A policy may refuse everything that it is asked about."""
    asked: list[Draft] = []

    def refuse(draft: Draft) -> Draft:
        asked.append(draft)
        raise PolicyRefusedError("all", "closed")

    Suite().test_accepts_its_answer(refuse)
    assert [draft for draft in asked if draft in (*Suite.drafts, SPAM)] == [*Suite.drafts, SPAM]
