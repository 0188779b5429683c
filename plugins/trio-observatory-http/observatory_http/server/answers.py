"""What is answered, errors included."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from observatory import InvalidInputError, ObservatoryError, RateLimitError, UnauthorizedError, error_to_wire, to_wire

_STATUS: Mapping[str, HTTPStatus] = {
    "InvalidInputError": HTTPStatus.BAD_REQUEST,
    "UnauthorizedError": HTTPStatus.UNAUTHORIZED,
    "ForbiddenError": HTTPStatus.FORBIDDEN,
    "PolicyRefusedError": HTTPStatus.FORBIDDEN,
    "UnknownNameError": HTTPStatus.NOT_FOUND,
    "UnknownMessageError": HTTPStatus.NOT_FOUND,
    "UnknownRecipientError": HTTPStatus.NOT_FOUND,
    "ChangedMeanwhileError": HTTPStatus.CONFLICT,
    "IdempotencyError": HTTPStatus.CONFLICT,
    "LeaseLostError": HTTPStatus.CONFLICT,
    "LeaseTakenError": HTTPStatus.CONFLICT,
    "NoActiveProjectError": HTTPStatus.CONFLICT,
    "TaskRefusedError": HTTPStatus.CONFLICT,
    "SkillSourceError": HTTPStatus.UNPROCESSABLE_ENTITY,
    "SwarmSourceError": HTTPStatus.UNPROCESSABLE_ENTITY,
    "RateLimitError": HTTPStatus.TOO_MANY_REQUESTS,
    "DeliveryError": HTTPStatus.BAD_GATEWAY,
    "ClosedError": HTTPStatus.SERVICE_UNAVAILABLE,
    "OutcomeUnknownError": HTTPStatus.SERVICE_UNAVAILABLE,
    "StorageError": HTTPStatus.SERVICE_UNAVAILABLE,
    "MailboxFullError": HTTPStatus.INSUFFICIENT_STORAGE,
    "LeaseLimitError": HTTPStatus.INSUFFICIENT_STORAGE,
    "ObservatoryError": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each error of the library; of one that does not stand here, that of its nearest base."""

STATUSES = sorted(
    {
        *_STATUS.values(),
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    }
)
"""All that can be answered to a request that is not carried out, and says why."""

ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""What every answer says to browsers."""

_MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one answer."""


class RefusedError(Exception):
    """Raised for a request that is refused before the library hears of it.

    Attributes:
        status: the answer's status.
        headers: what it takes beside the usual.
    """

    def __init__(self, status: HTTPStatus, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def _plain(value: Any) -> Any:
    plain = to_wire(value)
    if plain is value:
        raise TypeError  # orjson says of which class it is
    return plain


def answer(value: Any, status: int = HTTPStatus.OK) -> Response:
    """Return an answer that holds a value of the library.

    Raises:
        InvalidInputError: JSON cannot hold it.
        ObservatoryError: it is larger than an answer may be.
    """
    try:
        data = orjson.dumps(value, default=_plain)
    except TypeError as error:
        raise InvalidInputError("result", f"cannot be written as JSON: {error}") from error
    if len(data) > _MAX_ANSWER:
        words = f"this was carried out, but its answer has more than {_MAX_ANSWER:,} bytes; ask for less at a time"
        raise ObservatoryError(words)
    return Response(data, status, media_type="application/json")


def refusal(error: Exception) -> Response:
    """Return the answer to what failed: an `ErrorObject`, as everywhere."""
    if isinstance(error, RefusedError):
        return _refusal(error.status, "RefusedError", str(error), error.headers)
    if not isinstance(error, ObservatoryError):
        words = "the service has failed with this request; its log says why"
        return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "ObservatoryError", words, {})
    headers = {}
    if isinstance(error, RateLimitError):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    response = answer(error_to_wire(error), status_of(error))
    response.headers.update(headers)
    return response


def status_of(error: ObservatoryError) -> HTTPStatus:
    """Return the status of an error: its own, or that of its nearest base."""
    return next(_STATUS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _STATUS)


def _refusal(status: HTTPStatus, name: str, message: str, headers: Mapping[str, str]) -> Response:
    response = answer({"error": name, "message": message, "fields": {}}, status)
    response.headers.update(headers)
    return response
