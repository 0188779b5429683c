"""A client of MCP over HTTP in a process of its own, which calls the same tool over and over: `mcp_http` runs this."""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any

_HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
_META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
_FIRST = 20
"""Calls that nobody counts."""


class _Client:
    def __init__(self, port: int, token: str, path: str, revision: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._path = path
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        self._modern = revision >= "2026"
        if not self._modern:
            self._headers["Mcp-Session-Id"] = self._ask("initialize", _HELLO)[0]["mcp-session-id"]
            self._post({"method": "notifications/initialized"}, {})
        self._headers["MCP-Protocol-Version"] = revision

    def call(self, call: dict[str, Any]) -> None:
        """Call a tool."""
        if self._modern:
            self._headers |= {"Mcp-Method": "tools/call", "Mcp-Name": call["name"]}
            call = {**call, "_meta": _META}
        _, said = self._ask("tools/call", call)
        answer = json.loads(said[said.index(b"{") :])
        assert not answer["result"].get("isError"), answer

    def _ask(self, method: str, params: Any) -> tuple[Any, bytes]:
        return self._post({"id": 1, "method": method, "params": params}, self._headers)

    def _post(self, message: dict[str, Any], headers: dict[str, str]) -> tuple[Any, bytes]:
        self._connection.request(
            "POST", self._path, json.dumps({"jsonrpc": "2.0", **message}), {**self._headers, **headers}
        )
        answer = self._connection.getresponse()
        said = answer.read()
        assert answer.status < 300, (answer.status, said)
        return answer.headers, said


def main(port: str, token: str, path: str, revision: str, call: str, count: str) -> None:
    """Print the seconds that the calls take."""
    client, wanted = _Client(int(port), token, path, revision), json.loads(call)
    for _ in range(_FIRST):
        client.call(wanted)
    start = time.perf_counter()
    for _ in range(int(count)):
        client.call(wanted)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
