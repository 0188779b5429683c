"""The document that describes what is below `/api`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import trio
from jsonschema import Draft202012Validator

from observatory import Context, Module
from observatory.testing import observatory_plugin


class Lamp(Module):
    """Exposes a method."""

    exposes: ClassVar = ("shine",)

    def __init__(self, context: Context) -> None:
        self.context = context

    def shine(self, brightness: int) -> int:
        """Shine."""
        return brightness

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be there."""
        task_status.started()
        await trio.sleep_forever()


PLUGIN = observatory_plugin("lamps", modules={"Lamp": Lamp})


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


class TestDocument:
    """`/api/openapi.json`."""

    @pytest.fixture
    async def document(self, open_house: Any) -> Any:
        """Return it, with the routes that there are."""
        async with open_house(plugins=(PLUGIN,), also=("skills",)) as house, house.client() as client:
            document = (await client.get("api/openapi.json")).json()
            document["routes"] = [
                (route.path.replace(":path", ""), route.methods - {"HEAD"}) for route in house.service.routes
            ]
            return document

    async def test_references(self, document: Any) -> None:  # noqa: ASYNC124 -- the fixture needs Trio
        """Everything that it refers to is there, and every schema is one."""
        schemas, responses = document["components"]["schemas"], document["components"]["responses"]
        references = set(_references(document))
        assert "#/components/schemas/Message" in references
        assert references == {
            *[f"#/components/schemas/{name}" for name in schemas],
            *[f"#/components/responses/{name}" for name in responses],
        }
        for schema in schemas.values():
            Draft202012Validator.check_schema(schema)

    async def test_every_route(self, document: Any) -> None:  # noqa: ASYNC124 -- the fixture needs Trio
        """Every route below `/api` is described, and nothing else is."""
        described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
        exposed = {one for one in described if one[0].startswith(("/api/modules/", "/api/services/"))}
        assert ("/api/modules/Lamp/shine", "POST") in exposed
        assert ("/api/services/skills/list", "POST") in exposed
        there = {
            (path, method)
            for path, methods in document["routes"]
            for method in methods
            if path.startswith("/api") and "{part}" not in path and not path.endswith("openapi.json")
        }
        assert described - exposed == there
        names = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
        assert len(names) == len(set(names))

    async def test_parameters(self, document: Any) -> None:  # noqa: ASYNC124 -- the fixture needs Trio
        """What stands in the path, in the query and in the body is told apart."""
        send = document["paths"]["/api/mailboxes/{agent}/messages"]["post"]
        assert [(one["name"], one["in"], one["required"]) for one in send["parameters"]] == [("agent", "path", True)]
        body = send["requestBody"]["content"]["application/json"]["schema"]
        assert ("from" in body["properties"], "agent" in body["properties"]) == (True, False)
        assert (body["required"], body["additionalProperties"]) == (["content"], False)
        listing = document["paths"]["/api/mailboxes/{agent}/messages"]["get"]
        assert {one["name"]: one["in"] for one in listing["parameters"]} == {
            "agent": "path",
            "limit": "query",
            "before": "query",
            "unread_only": "query",
        }
        assert "requestBody" not in listing

    async def test_answers(self, house: Any) -> None:
        """Answers are what it says they are."""
        async with house.client("bob") as client:
            document = (await client.get("api/openapi.json")).json()
            for method, path, place, body in (
                ("POST", "api/mailboxes/ann/messages", "/api/mailboxes/{agent}/messages", {"content": "x"}),
                ("GET", "api/mailboxes/ann/messages", "/api/mailboxes/{agent}/messages", None),
                ("PUT", "api/notes/k", "/api/notes/{key}", {"text": "x"}),
                ("GET", "api/notes", "/api/notes", None),
                ("GET", "api/health", "/api/health", None),
                ("GET", "api/notes/none", "/api/notes/{key}", None),
            ):
                response = await client.request(method, path, json=body)
                answers = document["paths"][place][method.lower()]["responses"]
                answer = answers[str(response.status_code)]
                if "$ref" in answer:
                    answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                schema = answer["content"]["application/json"]["schema"] | {"components": document["components"]}
                Draft202012Validator(schema).validate(response.json())
