"""JSON-RPC 2.0: what is a request, and how it is answered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, strategies as st
from observatory_websocket.server import rpc

from observatory import DuplicateNameError, ForbiddenError, InvalidInputError, ObservatoryError, errors

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("jsonrpc", "id", "method", "params")


def _refusal(text: str | bytes) -> rpc.BadRequestError:
    with pytest.raises(rpc.BadRequestError) as info:
        rpc.read(text)
    return info.value


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"jsonrpc":"2.0","id":1,"method":"m"}', rpc.Request("m", None, 1, True)),
        ('{"jsonrpc":"2.0","id":"x","method":"m","params":[1]}', rpc.Request("m", [1], "x", True)),
        ('{"jsonrpc":"2.0","id":1.5,"method":"m","params":{}}', rpc.Request("m", {}, 1.5, True)),
        ('{"jsonrpc":"2.0","id":null,"method":"m"}', rpc.Request("m", None, None, True)),
        ('{"jsonrpc":"2.0","method":"m"}', rpc.Request("m", None, None, False)),
        ('{"jsonrpc":"2.0","id":1,"method":"m","more":[]}', rpc.Request("m", None, 1, True)),
    ],
)
def test_request(text: str, request_: rpc.Request) -> None:
    """A request is read with its id; without one it is a notification."""
    assert rpc.read(text) == request_


@pytest.mark.parametrize(
    ("text", "code", "id", "words"),
    [
        ("", rpc.PARSE_ERROR, None, "not JSON"),
        ("nonsense", rpc.PARSE_ERROR, None, "not JSON: column 1"),
        ('{"jsonrpc": "2.0"', rpc.PARSE_ERROR, None, "not JSON"),
        ("NaN", rpc.PARSE_ERROR, None, "not JSON"),
        ('{"id": Infinity}', rpc.PARSE_ERROR, None, "not JSON"),
        ("1e400", rpc.PARSE_ERROR, None, "not JSON"),
        ('"\\ud800"', rpc.PARSE_ERROR, None, "surrogate"),
        ("[" * 100_000, rpc.PARSE_ERROR, None, "depth"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, rpc.PARSE_ERROR, None, "depth"),
        (b'{"jsonrpc":"2.0","id":1,"method":"m"}', rpc.INVALID_REQUEST, None, "binary"),
        ("[]", rpc.INVALID_REQUEST, None, "this batch is empty"),
        (json.dumps([1] * 1001), rpc.INVALID_REQUEST, None, "at most 1,000 requests, and this one has 1,001"),
        ("7", rpc.INVALID_REQUEST, None, "got a number"),
        ("null", rpc.INVALID_REQUEST, None, "got nothing"),
        ('"x"', rpc.INVALID_REQUEST, None, "got a string"),
        ("true", rpc.INVALID_REQUEST, None, "got a boolean"),
        ("{}", rpc.INVALID_REQUEST, None, "jsonrpc: expected '2.0'"),
        ('{"jsonrpc":"1.0","id":1,"method":"m"}', rpc.INVALID_REQUEST, 1, "jsonrpc"),
        ('{"jsonrpc":2.0,"id":1,"method":"m"}', rpc.INVALID_REQUEST, 1, "jsonrpc"),
        ('{"jsonrpc":"2.0","id":true,"method":"m"}', rpc.INVALID_REQUEST, None, "id: .*got a boolean"),
        ('{"jsonrpc":"2.0","id":[],"method":"m"}', rpc.INVALID_REQUEST, None, "id: .*got an array"),
        ('{"jsonrpc":"2.0","id":{},"method":"m"}', rpc.INVALID_REQUEST, None, "id: .*got an object"),
        ('{"jsonrpc":"2.0","id":"x"}', rpc.INVALID_REQUEST, "x", "method: .*got nothing"),
        ('{"jsonrpc":"2.0","id":1,"method":1}', rpc.INVALID_REQUEST, 1, "method: .*got a number"),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":1}', rpc.INVALID_REQUEST, 1, "params: .*got a number"),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}', rpc.INVALID_REQUEST, 1, "params: .*got a string"),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":null}', rpc.INVALID_REQUEST, 1, "params: .*got nothing"),
    ],
)
def test_no_request(text: str | bytes, code: int, id: rpc.Id, words: str) -> None:
    """What is no request is refused, with the id as far as it could be read."""
    error = _refusal(text)
    assert (error.code, error.id) == (code, id)
    assert re.search(words, str(error))
    assert error.answer() == {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": str(error)}}


@pytest.mark.parametrize("digits", [str(2**63), str(2**64), str(-(2**63) - 1), "1" + "0" * 40, "-" + "9" * 300])
def test_long_integer(digits: str) -> None:
    """An integer beyond 64 bits is read as one, for whoever is asked to refuse, and not as a number that is near."""
    request = rpc.read(f'{{"jsonrpc":"2.0","id":1,"method":"m","params":[{digits}, 0.5, "{digits}"]}}')
    assert isinstance(request, rpc.Request)
    assert isinstance(request.params, list)
    found, *others = request.params
    assert isinstance(found, int)
    assert str(found) == digits
    assert others == [0.5, digits]


def test_endless_integer() -> None:
    """One beyond all numbers is no JSON to us."""
    error = _refusal(f'{{"jsonrpc":"2.0","id":1,"method":"m","params":[{"9" * 5_000}]}}')
    assert error.code == rpc.PARSE_ERROR


def test_id_of_many_characters() -> None:
    """An id is kept while its request is carried out, and so it is short."""
    assert (
        str(_refusal('{"jsonrpc":"2.0","id":"' + "x" * 257 + '","method":"m"}')) == "id: has more than 256 characters"
    )
    assert isinstance(rpc.read('{"jsonrpc":"2.0","id":"' + "x" * 256 + '","method":"m"}'), rpc.Request)


def test_room_for_several_batches() -> None:
    """What the batches of a connection hold together is bounded, and given back."""
    room = rpc.AnswerRoom()
    request = rpc.Request("m", None, 1, True)
    answer = rpc.write(request.result("x" * 9 * 1024 * 1024))
    first, second = rpc.BatchAnswer([request], room), rpc.BatchAnswer([request], room)
    assert (first.put(0, request, answer), second.put(0, request, answer)) == (True, False)
    first.let_go()
    assert rpc.BatchAnswer([request], room).put(0, request, answer)


def test_long_id() -> None:
    """An id that we could not answer with is refused."""
    error = _refusal(f'{{"jsonrpc":"2.0","id":{2**63},"method":"m"}}')
    assert (error.id, str(error)) == (None, "id: is an integer beyond 64 bits; write it as a string")


def test_long_integer_in_the_deep() -> None:
    """One that nests so deep that it cannot be read is refused."""
    text = f'{{"jsonrpc":"2.0","id":1,"method":"m","params":{"[" * 1_000}{2**64}{"]" * 1_000}}}'
    assert str(_refusal(text)) == "this nests too deep"


def test_batch() -> None:
    """In a batch each is read for itself."""
    batch = rpc.read('[{"jsonrpc":"2.0","id":1,"method":"m"}, 7, {"jsonrpc":"2.0","method":"n"}]')
    assert isinstance(batch, list)
    assert [type(one) for one in batch] == [rpc.Request, rpc.BadRequestError, rpc.Request]


@given(st.text() | st.binary() | _JSON.map(json.dumps))
def test_anything(text: str | bytes) -> None:
    """Whatever comes is a request, a batch or a refusal, and a refusal can be written."""
    _check(text)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(_FIELDS, _JSON | st.sampled_from(["2.0", "m", 1]))), _JSON)
def test_almost_a_request(fields: dict[str, Any], other: Any) -> None:
    """What looks like a request, alone or in a batch, is read or refused."""
    _check(json.dumps(fields))
    _check(json.dumps([fields, other]))


def _check(text: str | bytes) -> None:
    try:
        read = rpc.read(text)
    except rpc.BadRequestError as error:
        read = [error]
    for one in read if isinstance(read, list) else [read]:
        answer = json.loads(rpc.write(one.answer() if isinstance(one, rpc.BadRequestError) else one.result(None)))
        assert answer["jsonrpc"] == "2.0"
        assert isinstance(answer["id"], str | int | float | None)


def test_codes() -> None:
    """Every error that a client can be answered with has a code of its own; another one that of its base."""
    assert len(set(rpc.CODES.values())) == len(rpc.CODES)
    assert set(rpc.CODES) <= {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert all(code == rpc.INVALID_PARAMS or -32019 <= code <= -32000 for code in rpc.CODES.values())
    assert rpc.code_of(DuplicateNameError("p", "r")) == rpc.CODES["PluginError"]

    class OwnError(ForbiddenError):
        """A plugin's own."""

    assert rpc.code_of(OwnError("no")) == rpc.CODES["ForbiddenError"]
    assert rpc.code_of(type("Other", (ObservatoryError,), {})()) == rpc.CODES["ObservatoryError"]


def test_failure() -> None:
    """A failure says what, in words and for programs."""
    answer = rpc.Request("m", None, 3, True).failure(InvalidInputError("params.to", "is no name"))
    assert answer == {
        "jsonrpc": "2.0",
        "id": 3,
        "error": {
            "code": rpc.INVALID_PARAMS,
            "message": "params.to: is no name",
            "data": {
                "error": "InvalidInputError",
                "message": "params.to: is no name",
                "fields": {"field": "params.to", "reason": "is no name"},
            },
        },
    }


def test_what_json_cannot_hold() -> None:
    """A result that JSON cannot hold is an error that says so."""
    with pytest.raises(InvalidInputError, match=r"^result: cannot be written as JSON: .*object"):
        rpc.write({"result": object()})
    with pytest.raises(InvalidInputError, match="surrogates"):
        rpc.write({"result": "\ud800"})


def test_too_many_answers() -> None:
    """When the answers of a batch are too large together, those that do not fit say that they were carried out."""
    requests = [rpc.Request("m", None, id, True) for id in range(3)]
    batch = rpc.BatchAnswer(requests, rpc.AnswerRoom())
    large = 9 * 1024 * 1024
    for place, size in enumerate((large, large, 20)):
        batch.put(place, requests[place], rpc.write(requests[place].result("x" * size)))
    joined = batch.joined()
    assert joined is not None
    assert len(joined) < large + 1_000
    first, second, third = json.loads(joined)
    assert (first["result"], third["result"]) == ("x" * large, "x" * 20)
    assert second["id"] == 1
    assert second["error"]["message"].startswith("this was carried out, but the answers to its batch have more than")
