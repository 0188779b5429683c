"""Who may come in: tokens, the identities they name, Host, Origin, rates."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from observatory import (
    ForbiddenError,
    Identity,
    InvalidInputError,
    Security,
    UnauthorizedError,
    token_for,
)

NAMES = st.from_regex(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,127}", fullmatch=True)
PORT = 41234
LOOPBACK = "127.0.0.1:41234, localhost:41234, [::1]:41234"


@pytest.fixture
def security() -> Security:
    """Return what doors ask."""
    return Security()


class TestTokens:
    """Making tokens, and finding out whom they name."""

    def test_owner(self, security: Security) -> None:
        """The service's own token has 256 bits and names nobody: its holder is the owner."""
        assert len(base64.urlsafe_b64decode(security.token + "=")) == 32
        assert security.identify(security.token) == Identity(None)

    def test_never_shown(self, security: Security) -> None:
        """The token is new for each run, and is not seen by printing what holds it."""
        assert Security().token != security.token
        assert security.token not in repr(security)

    @given(name=NAMES)
    def test_agent(self, name: str) -> None:
        """The token of an agent names it, also when a client has made it of the service's."""
        security = Security()
        assert token_for(security.token, name) == security.token_for(name)
        assert security.identify(security.token_for(name)) == Identity(name)

    def test_form(self) -> None:
        """The name stands before the last dot, and after it what proves it: programs in any language can make one."""
        digest = hmac.digest(b"service-token", b"observatory identity\0agent.42", "sha256")
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert token_for("service-token", "agent.42") == f"agent.42.{proof}"

    @given(name=NAMES, data=st.data())
    def test_changed(self, name: str, data: st.DataObject) -> None:
        """A token in which any character is another one, is missing or is too much, names nobody."""
        security = Security()
        token = data.draw(st.sampled_from([security.token, security.token_for(name)]))
        place = data.draw(st.integers(0, len(token)))
        changed = token[:place] + data.draw(st.text(max_size=1)) + token[place + data.draw(st.integers(0, 1)) :]
        if changed != token:
            with pytest.raises(UnauthorizedError):
                security.identify(changed)

    @pytest.mark.parametrize("name", ["", ".a", "a" * 129, "a b", "a\n", "ä", "../x", 5])
    def test_no_name(self, name: Any, security: Security) -> None:
        """No token is made for what cannot be an agent's name."""
        with pytest.raises(InvalidInputError, match="name: "):
            security.token_for(name)

    @pytest.mark.parametrize("token", ["", ".", "a.", "ä", "\ud800", "x." * 10_000_000, None, b"x", 5])
    def test_nonsense(self, token: Any, security: Security) -> None:
        """What can be no token is refused like a wrong one."""
        with pytest.raises(UnauthorizedError, match=r"^the token is missing, wrong, or of.*service\.json"):
            security.identify(token)

    def test_huge(self, security: Security, monkeypatch: pytest.MonkeyPatch) -> None:
        """No work is done for what is longer than any token."""
        monkeypatch.setattr(hmac, "digest", pytest.fail)
        with pytest.raises(UnauthorizedError):
            security.identify("x" * 257)

    @pytest.mark.parametrize("name", ["", ".a", "a b"])
    def test_proven_but_no_name(self, name: str, security: Security) -> None:
        """Whoever holds the service's token can prove anything, but it counts only for what an agent can be named."""
        digest = hmac.digest(security.token.encode(), b"observatory identity\0" + name.encode(), "sha256")
        with pytest.raises(UnauthorizedError):
            security.identify(f"{name}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}")

    def test_of_another_run(self, security: Security) -> None:
        """Tokens of an earlier run count no more, and nothing can be made of an agent's token."""
        earlier = Security()
        for token in (earlier.token, earlier.token_for("a"), token_for(security.token_for("a"), "b")):
            with pytest.raises(UnauthorizedError) as caught:
                security.identify(token)
            assert token not in str(caught.value)

    @pytest.mark.parametrize("kind", ["owner", "agent", "wrong", "wrong agent"])
    def test_constant_time(self, kind: str, security: Security, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whichever kind of token, right or wrong: one digest is made, and compared once in constant time."""
        tokens = {
            "owner": security.token,
            "agent": security.token_for("a"),
            "wrong": "x" * 43,
            "wrong agent": "a." + "x" * 43,
        }
        calls = []

        def watch(name: str, original: Any) -> None:
            def called(*given: Any) -> Any:
                calls.append(name)
                return original(*given)

            monkeypatch.setattr(hmac, name, called)

        watch("digest", hmac.digest)
        watch("compare_digest", hmac.compare_digest)
        try:
            security.identify(tokens[kind])
        except UnauthorizedError:
            assert kind.startswith("wrong")
        assert calls == ["digest", "compare_digest"]


class TestIdentity:
    """What an identity may do."""

    def test_owner(self) -> None:
        """The owner acts as anybody, which says nothing of who it is."""
        owner = Identity(None)
        owner.check_acts_as("anybody")
        assert not owner.verified

    def test_agent(self) -> None:
        """An agent acts as itself only."""
        agent = Identity("agent-42")
        agent.check_acts_as("agent-42")
        assert agent.verified
        with pytest.raises(ForbiddenError, match=r"^the token names 'agent-42', which cannot act as 'x'$") as caught:
            agent.check_acts_as("x")
        assert caught.value.reason == str(caught.value)


class TestBearer:
    """The Authorization header."""

    def test_none(self, security: Security) -> None:
        """Without the header there is no token: it may come later, as the first message."""
        assert security.bearer([]) is None

    @pytest.mark.parametrize("value", [b"Bearer a.b", b"bearer a.b", b"BEARER   a.b "])
    def test_token(self, value: bytes, security: Security) -> None:
        """The token stands after the scheme, whose case does not count."""
        assert security.bearer([value]) == "a.b"

    @pytest.mark.parametrize(
        "values",
        [
            [b"Bearer a", b"Bearer a"],
            [b"Basic YTpi"],
            [b"Bearer"],
            [b"Bearer "],
            [b"Bearera"],
            [b"a"],
            [b""],
            [b"Bearer \xe4"],
        ],
    )
    def test_refused(self, values: Sequence[bytes], security: Security) -> None:
        """Two headers, another scheme, no token, or what is not ASCII is refused, and not repeated."""
        with pytest.raises(UnauthorizedError, match=r"^expected one header 'Authorization: Bearer TOKEN'; the tok"):
            security.bearer(values)
