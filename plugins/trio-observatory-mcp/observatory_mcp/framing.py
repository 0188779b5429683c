"""Messages of JSON-RPC as they are read."""

from __future__ import annotations

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, PARSE_ERROR, JSONRPCMessage, JSONRPCNotification, jsonrpc_message_adapter
from pydantic import ValidationError
from pydantic_core import from_json


def message_of(data: bytes) -> JSONRPCMessage:
    """Return the message that bytes are.

    Raises:
        MCPError: they are none.
    """
    try:
        message: JSONRPCMessage = jsonrpc_message_adapter.validate_json(data, by_name=False)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise MCPError(PARSE_ERROR, "this is no JSON; write one message of JSON-RPC 2.0") from None
        raise MCPError(INVALID_REQUEST, "this is no request, notification or response of JSON-RPC 2.0") from None
    if isinstance(message, JSONRPCNotification) and "id" in from_json(data):  # whoever has sent it waits for an answer
        raise MCPError(INVALID_REQUEST, "the id of a request is a string or a whole number, and this one is neither")
    return message


def text_of(message: JSONRPCMessage) -> str:
    """Return a message as JSON, in one line."""
    return message.model_dump_json(by_alias=True, exclude_unset=True)
