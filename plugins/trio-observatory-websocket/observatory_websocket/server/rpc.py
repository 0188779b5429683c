"""JSON-RPC 2.0: what clients ask, and how they are answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import orjson

from observatory import InvalidInputError, ObservatoryError, UnknownNameError, error_to_wire
from observatory_websocket.bounds import MAX_ANSWER
from observatory_websocket.server.encoding import to_json

Id: TypeAlias = str | int | float | None

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

CODES: Mapping[str, int] = {
    "InvalidInputError": INVALID_PARAMS,
    "ObservatoryError": -32000,
    "UnauthorizedError": -32001,
    "ForbiddenError": -32002,
    "RateLimitError": -32003,
    "UnknownNameError": -32010,
    "UnknownMessageError": -32011,
    "MailboxFullError": -32012,
    "IdempotencyError": -32013,
    "PolicyRefusedError": -32014,
    "DeliveryError": -32015,
    "StorageError": -32016,
    "OutcomeUnknownError": -32017,
    "ClosedError": -32018,
    "PluginError": -32019,
}
"""The code of each error of the library; of one that does not stand here, that of its nearest base."""

_MAX_BATCH = 1_000
"""Requests in one batch."""

_MAX_ID = 256
"""Characters of an id: it is kept for as long as its request is carried out."""

_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # the fewest digits of an integer beyond 64 bits


class BadRequestError(Exception):
    """Raised for what is no request.

    Attributes:
        code: the code of the answer.
        id: of the request, as far as it could be read.
    """

    def __init__(self, code: int, message: str, id: Id = None) -> None:
        super().__init__(message)
        self.code = code
        self.id = id

    def answer(self) -> dict[str, Any]:
        """Return the answer."""
        return _failure(self.id, self.code, str(self), None)


@attrs.frozen
class Request:
    """One request."""

    method: str
    """What is asked for."""
    params: Mapping[str, Any] | Sequence[Any] | None
    """By name or by position."""
    id: Id
    """What the answer is known by."""
    answered: bool
    """Whether there is an answer at all; a notification has none."""

    def result(self, value: Any) -> dict[str, Any]:
        """Return the answer to a request that was carried out."""
        return {"jsonrpc": "2.0", "id": self.id, "result": value}

    def failure(self, error: ObservatoryError) -> dict[str, Any]:
        """Return the answer to a request that was refused, or has failed."""
        return _failure(self.id, code_of(error), str(error), error_to_wire(error))

    def fault(self) -> dict[str, Any]:
        """Return the answer to a request that we have failed with; what happened stands in the log."""
        return _failure(self.id, INTERNAL_ERROR, "the service has failed with this request; its log says why", None)

    def unknown(self, error: UnknownNameError) -> dict[str, Any]:
        """Return the answer to a request for a method that there is not."""
        return _failure(self.id, METHOD_NOT_FOUND, str(error), error_to_wire(error))


def code_of(error: ObservatoryError) -> int:
    """Return the code of an error: its own, or that of its nearest base."""
    return next(CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in CODES)


def read(text: str | bytes) -> list[Request | BadRequestError] | Request:
    """Read a message: one request, or a batch of them.

    Raises:
        BadRequestError: it is neither.
    """
    if isinstance(text, bytes):
        raise BadRequestError(INVALID_REQUEST, "expected text, got a binary message")
    try:
        data = _load(text)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(PARSE_ERROR, f"this is not JSON: column {error.colno}: {error.msg}") from error
    if not isinstance(data, list):
        return _request(data)
    if not data:
        raise BadRequestError(INVALID_REQUEST, "this batch is empty")
    if len(data) > _MAX_BATCH:
        raise BadRequestError(
            INVALID_REQUEST, f"a batch has at most {_MAX_BATCH:,} requests, and this one has {len(data):,}"
        )
    return [_request_or_error(item) for item in data]


def _load(text: str) -> Any:
    """Read JSON, integers of any length as they are: orjson reads those beyond 64 bits as numbers that are only near.

    Raises:
        JSONDecodeError: it is none.
        BadRequestError: it nests too deep.
    """
    data = orjson.loads(text)
    if _LONG not in text.encode().translate(_ALIKE):
        return data
    try:
        return json.loads(text)
    except RecursionError as error:
        raise BadRequestError(INVALID_REQUEST, "this nests too deep") from error


def _request_or_error(item: object) -> Request | BadRequestError:
    try:
        return _request(item)
    except BadRequestError as error:
        return error


def _request(data: object) -> Request:
    if not isinstance(data, dict):
        raise BadRequestError(INVALID_REQUEST, f"expected a request object or a batch, got {_kind(data)}")
    id = data.get("id")
    if isinstance(id, bool) or not isinstance(id, str | int | float | None):
        raise BadRequestError(INVALID_REQUEST, f"id: expected a string or a number, got {_kind(id)}")
    if isinstance(id, str) and len(id) > _MAX_ID:
        raise BadRequestError(INVALID_REQUEST, f"id: has more than {_MAX_ID} characters")
    if isinstance(id, int) and not -(2**63) <= id < 2**63:
        raise BadRequestError(INVALID_REQUEST, "id: is an integer beyond 64 bits; write it as a string")
    if data.get("jsonrpc") != "2.0":
        raise BadRequestError(INVALID_REQUEST, "jsonrpc: expected '2.0'", id)
    method, params = data.get("method"), data.get("params")
    if not isinstance(method, str):
        raise BadRequestError(INVALID_REQUEST, f"method: expected a string, got {_kind(method)}", id)
    if not isinstance(params, dict | list | None) or (params is None and "params" in data):
        raise BadRequestError(INVALID_REQUEST, f"params: expected an object or an array, got {_kind(params)}", id)
    return Request(method, params, id, "id" in data)


def _kind(value: object) -> str:
    words = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "nothing"}
    return words.get(type(value), "a number")


def _failure(id: Id, code: int, message: str, data: Any) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": id, "error": error}


class AnswerRoom:
    """Room for answers to batches that are not finished, shared by all batches of a connection."""

    def __init__(self) -> None:
        self.left = MAX_ANSWER
        """Bytes."""


class BatchAnswer:
    """The answers to a batch, in the order of its requests.

    Args:
        requests: the batch.
        room: where its answers lie until it is finished.
    """

    def __init__(self, requests: Sequence[Request | BadRequestError], room: AnswerRoom) -> None:
        self._answers = [write(one.answer()) if isinstance(one, BadRequestError) else None for one in requests]
        self._room = room
        self._held = 0

    def put(self, place: int, request: Request, answer: bytes) -> bool:
        """Put the answer to a request in its place, unless nobody wants one; return False when it does not fit."""
        fits = len(answer) <= self._room.left
        if not fits:  # beside those of other batches, that is
            answer = write(request.failure(_too_large("the answers to its batch have")))
        if request.answered:
            self._room.left -= len(answer)
            self._held += len(answer)
            self._answers[place] = answer
        return fits

    def joined(self) -> bytes | None:
        """Return all answers as one; None when there is none."""
        answers = [answer for answer in self._answers if answer is not None]
        return b"[%b]" % b",".join(answers) if answers else None

    def let_go(self) -> None:
        """Give the room back."""
        self._room.left += self._held
        self._held = 0


def write(answer: Any) -> bytes:
    """Return an answer as JSON.

    Raises:
        InvalidInputError: JSON cannot hold what a method has returned.
        ObservatoryError: it is larger than one may be.
    """
    try:
        data = to_json(answer)
    except TypeError as error:
        raise InvalidInputError("result", f"cannot be written as JSON: {error}") from error
    if len(data) > MAX_ANSWER:
        raise _too_large("its answer has")
    return data


def _too_large(what: str) -> ObservatoryError:
    return ObservatoryError(f"this was carried out, but {what} more than {MAX_ANSWER:,} bytes; ask for less at a time")
