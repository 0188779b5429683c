"""Clients of HTTP in a process of their own, which post the same event over and over: `events` runs this file."""

from __future__ import annotations

import json
import socket
import sys
import time

EVENT = {
    "session_id": "0f6a2c1e-9a7b-4a55-8f0e-2d6f1f6a9b11",
    "transcript_path": "/home/ann/.claude/projects/p/0f6a2c1e-9a7b-4a55-8f0e-2d6f1f6a9b11.jsonl",
    "cwd": "/home/ann/p",
    "permission_mode": "default",
    "hook_event_name": "PreToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "python -m pytest -q tests", "description": "Run the tests", "timeout": 120_000},
    "tool_use_id": "toolu_01A2B3C4D5E6F7G8H9",
}
"""What a coding agent tells before it runs a command."""

_CONNECTIONS = 8

_ROUNDS = 500
"""Requests over one connection, of which a server lets come so many only."""


def post(port: int, token: str, path: str, requests: int) -> float:
    """Post so many events; return the seconds that they took. Each connection waits for its answer."""
    body = json.dumps(EVENT).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request, taken = head.encode() + body, 0.0
    while requests > 0:
        sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(_CONNECTIONS)]
        start = time.perf_counter()
        for _ in range(min(_ROUNDS, max(1, requests // _CONNECTIONS))):
            for one in sockets:
                one.sendall(request)
            for one in sockets:
                answer = one.recv(65_536)
                if b" 204 " not in answer[:20] or not answer.endswith(b"\r\n\r\n"):
                    raise SystemExit(f"this is no answer to an event: {answer!r:.500}")
            requests -= _CONNECTIONS
        taken += time.perf_counter() - start
        for one in sockets:
            one.close()
    return taken


if __name__ == "__main__":
    print(post(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
