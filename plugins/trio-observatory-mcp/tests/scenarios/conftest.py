"""The server with what the published scenarios ask for beside its own: tools, resources and prompts of a test."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
import pytest
import trio
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from observatory_mcp.desk import Desk
from observatory_mcp.server import make_server

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFAAH/q842iQAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQAAAAA="

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def text(said: str) -> types.TextContent:
    """Return a text."""
    return types.TextContent(type="text", text=said)


def image() -> types.ImageContent:
    """Return an image."""
    return types.ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, kind: str, said: str) -> types.EmbeddedResource:
    """Return a resource with what stands in it."""
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=kind, text=said)
    )


TOOLS: Mapping[str, list[Any]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [image()],
    "test_audio_content": [types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")],
    "test_embedded_resource": [
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
    "test_error_handling": [text("This tool intentionally returns an error for testing")],
    "test_tool_with_progress": [text("done")],
    "test_streaming_elicitation": [text("done")],
    "test_logging_tool": [text("done")],
    "test_missing_capability": [text("done")],
    "json_schema_2020_12_tool": [text("done")],
}
NOTHING = types.ClientCapabilities()
PROMPTS: Mapping[str, tuple[str, ...]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
}


def add_to(server: Server[Desk]) -> Server[Desk]:
    """Have a server answer also what the scenarios ask for; what is its own it answers as ever."""
    for method, params, answer in (
        ("tools/list", types.PaginatedRequestParams, _list_tools),
        ("tools/call", types.CallToolRequestParams, _call_tool),
        ("resources/read", types.ReadResourceRequestParams, _read),
        ("prompts/list", types.PaginatedRequestParams, _list_prompts),
        ("prompts/get", types.GetPromptRequestParams, _get_prompt),
    ):
        own = server.get_request_handler(method)
        assert own is not None
        server.add_request_handler(method, params, _beside(own.handler, answer))
    server.get_tool_input_schema = None
    return server


def _beside(own: Callable[[Any, Any], Awaitable[Any]], answer: Callable[..., Awaitable[Any]]) -> Any:
    async def either(context: Any, params: Any) -> Any:
        return await answer(own, context, params)

    return either


async def _list_tools(own: Any, context: Any, params: Any) -> types.ListToolsResult:
    listed = await own(context, params)
    added = [
        types.Tool(name=name, description=name, input_schema=SCHEMA if "schema" in name else {"type": "object"})
        for name in TOOLS
    ]
    return types.ListToolsResult(tools=[*listed.tools, *added])


async def _call_tool(own: Any, context: Any, params: Any) -> types.CallToolResult:
    if params.name not in TOOLS:
        result: types.CallToolResult = await own(context, params)
        return result
    if params.name == "test_tool_with_progress":
        for progress in (0, 50, 100):
            await context.session.report_progress(progress, 100, None)
            await trio.sleep(0.05)
    if params.name == "test_missing_capability" and not (context.session.client_capabilities or NOTHING).sampling:
        needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "this needs sampling", needed)
    return types.CallToolResult(content=TOOLS[params.name], is_error=params.name == "test_error_handling")


async def _read(own: Any, context: Any, params: Any) -> Any:
    uri = params.uri
    contents: Any
    if uri == "test://static-binary":
        contents = types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    elif uri == "test://static-text":
        said = "This is the content of the static text resource."
        contents = types.TextResourceContents(uri=uri, mime_type="text/plain", text=said)
    elif found := re.fullmatch(r"test://template/(\w+)/data", uri):
        said = json.dumps({"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"})
        contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=said)
    else:
        return await own(context, params)
    await trio.lowlevel.checkpoint()
    return types.ReadResourceResult(contents=[contents], cache_scope="private")


async def _list_prompts(own: Any, context: Any, params: Any) -> types.ListPromptsResult:
    listed = await own(context, params)
    added = [
        types.Prompt(
            name=name,
            description=name,
            arguments=[types.PromptArgument(name=one, required=True) for one in arguments],
        )
        for name, arguments in PROMPTS.items()
    ]
    return types.ListPromptsResult(prompts=[*listed.prompts, *added], cache_scope="private")


async def _get_prompt(own: Any, context: Any, params: Any) -> types.GetPromptResult:
    given = params.arguments or {}
    contents: list[Any]
    if params.name == "test_simple_prompt":
        contents = [text("This is a simple prompt for testing.")]
    elif params.name == "test_prompt_with_arguments":
        contents = [text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")]
    elif params.name == "test_prompt_with_embedded_resource":
        contents = [
            embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing."),
            text("Please process the embedded resource above."),
        ]
    elif params.name == "test_prompt_with_image":
        contents = [image(), text("Please analyze the image above.")]
    else:
        result: types.GetPromptResult = await own(context, params)
        return result
    await trio.lowlevel.checkpoint()
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=one) for one in contents])


@pytest.fixture
async def tested(open_house: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Return the address of a server that has all that, and takes everybody for the agent `abc`.

    The scenarios know no tokens. Host and Origin are checked as ever; pages of its own address are allowed, as they
    ask.
    """
    monkeypatch.setattr("observatory_mcp.session.make_server", lambda desk: add_to(make_server(desk)))
    async with open_house() as house:
        security, token = house.obs.security, house.obs.security.token_for("abc")
        own = house.url.removesuffix("/mcp").encode()
        check_origin = security.check_origin
        monkeypatch.setattr(security, "bearer", lambda values: token)
        monkeypatch.setattr(security, "check_origin", lambda values: values == [own] or check_origin(values))
        yield house.url
