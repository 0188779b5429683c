"""The laws of `Policy`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import ClassVar

import pytest

from observatory import Draft, Policy, PolicyRefusedError
from observatory.testing.laws import Conformance, law
from observatory.testing.samples import DRAFTS


class PolicyConformance(Conformance):
    """The laws of a policy. A subclass gives the fixture `policy`."""

    drafts: ClassVar[Sequence[Draft]] = ()
    """Drafts that the policy has something to do with; others are tried beside them."""
    refused: ClassVar[Sequence[Draft]] = ()
    """Drafts that the policy does not admit."""

    @pytest.fixture
    def policy(self) -> Policy:
        """Return what the plugin registers."""
        raise NotImplementedError("give your suite a fixture `policy` that returns what you register")

    @law
    def test_refuses(self, policy: Policy) -> None:
        """It refuses with `PolicyRefusedError`, and nothing has happened."""
        for draft in self._all():
            before = copy.deepcopy(_plain(draft))
            answer = _ask(policy, draft)
            assert draft not in self.refused or isinstance(answer, str), f"it admits {draft}"
            assert _plain(draft) == before, "it has changed the draft that it was given"

    @law
    def test_same_answer(self, policy: Policy) -> None:
        """It is a plain function: it does not wait, and the same draft gives the same answer."""
        for draft in self._all():
            first = _ask(policy, draft)  # outside of Trio, where nothing can wait
            assert isinstance(first, Draft | str), f"it returns no draft but {first!r}"
            assert _ask(policy, draft) == first, "asked again, it gives another answer"

    @law
    def test_accepts_its_answer(self, policy: Policy) -> None:
        """It accepts its own answer: asking again changes nothing more."""
        for draft in self._all():
            answer = _ask(policy, draft)
            if isinstance(answer, Draft):
                assert _ask(policy, answer) == answer

    def _all(self) -> list[Draft]:
        return [*DRAFTS, *self.drafts, *self.refused]


def _ask(policy: Policy, draft: Draft) -> Draft | str:
    """Return a policy's answer; of a refusal, its reason."""
    try:
        return policy(draft)
    except PolicyRefusedError as refusal:
        return refusal.reason


def _plain(draft: Draft) -> tuple[object, ...]:
    return draft.to, draft.from_, draft.content, draft.type, dict(draft.metadata)
