"""Asking over a websocket, and how soon an event is there, against trio-websocket's bare echo of the same message."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import orjson
import trio
from harness import Figure, Options, at_least, at_most, costs, interleave, speeds
from websocket_clients import Plan
from websocket_servers import open_door, run_plan

_CONTENT = "x" * 100
_RATE = 1_000


def measure(options: Options) -> Iterator[Figure]:
    """Measure requests, one after another from each client, and messages at a steady rate."""
    from websocket_bare import run_echo  # only there where the plugin is installed

    root = options.make_folder()
    floor = "trio-websocket's bare echo"
    for clients, count, goal in ((1, options.size(5_000, 20), 0.5), (50, options.size(10_000, 100), 0.6)):
        plan = Plan(work="ask", port=0, connections=clients, request=_send_request(), requests=count)
        ours, bare = interleave(options, partial(trio.run, _ours, root, plan), partial(trio.run, run_echo, plan))
        name = f"websocket mailbox.send, memory only: {clients} client{'s' if clients > 1 else ''}"
        yield Figure(name, floor, speeds(ours, bare), at_least(goal))
        yield Figure(name, "none", [count / seconds for seconds in ours], unit="a second")
    subscribers = options.size(100, 3)
    paced = Plan(work="pace", port=0, request=_send_request(), requests=options.size(3_000, 20), rate=_RATE)
    listening = attrs.evolve(paced, connections=subscribers, first=_request("topics.subscribe", ["agent:dashboard"]))
    alone = attrs.evolve(paced, connections=0)
    ours, bare = interleave(options, partial(trio.run, _ours, root, listening), partial(trio.run, run_echo, alone))
    name = f"websocket: send to event, {_RATE:,} a second to {subscribers} connections"
    yield Figure(f"{name}: 99 %", floor, costs(ours, bare), at_most(10))
    yield Figure(f"{name}: 99 % within", "none", [seconds * 1_000 for seconds in ours], unit="ms")
    yield Figure(f"{floor}, {_RATE:,} a second: 99 % within", "none", [one * 1_000 for one in bare], unit="ms")


def _request(method: str, params: object) -> str:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).decode()


def _send_request() -> str:
    return _request("mailbox.send", {"to": "dashboard", "from": "agent-1", "content": _CONTENT})


async def _ours(root: Path, plan: Plan) -> float:
    async with open_door(root) as door:
        return await run_plan(attrs.evolve(plan, port=door.port, token=door.token))
