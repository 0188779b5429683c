"""What a client refuses, in the words of the library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from observatory import Client

REFUSED: Mapping[str, Callable[[Client], Awaitable[object]]] = {
    "a recipient": lambda client: client.mailbox.send_message("../a", "b", "hello"),
    "a sender": lambda client: client.mailbox.send_message("a", "", "hello"),
    "a type": lambda client: client.mailbox.send_message("a", "b", "hello", type="\n"),
    "a text": lambda client: client.mailbox.send_message("a", "b", "\ud800"),
    "NaN": lambda client: client.mailbox.send_message("a", "b", "", metadata={"x": [1.0, float("nan")]}),
    "an integer beyond 64 bits": lambda client: client.mailbox.send_message("a", "b", "", metadata={"x": 2**64}),
    "what JSON cannot hold": lambda client: client.mailbox.send_message("a", "b", "", metadata={"x": {"y": b""}}),
    "a key that is no string": lambda client: client.mailbox.send_message("a", "b", "", metadata={1: 2}),  # type: ignore[dict-item]
    "an expiry": lambda client: client.mailbox.send_message("a", "b", "", expires_in=0.0),
    "a delivery channel": lambda client: client.mailbox.send_message("a", "b", "", require=["nowhere"]),
    "an idempotency key": lambda client: client.mailbox.send_message("a", "b", "", idempotency_key=""),
    "a key for something else": lambda client: client.mailbox.send_message("a", "b", "2", idempotency_key="key"),
    "a name twice": lambda client: client.mailbox.broadcast_to_many(["a", "a"], "b", "hello"),
    "a message that is none": lambda client: client.mailbox.reply("hello", "hello"),  # type: ignore[arg-type]
    "an agent": lambda client: client.mailbox.get_messages("a/b"),
    "a limit": lambda client: client.mailbox.get_messages("a", limit=-1),
    "an unknown id": lambda client: client.mailbox.get_messages("a", before="0" * 16),
    "an unknown id to acknowledge": lambda client: client.mailbox.mark_read("a", "0" * 16),
    "an unknown id to wait after": lambda client: client.mailbox.receive("a", after="0" * 16),
    "a mailbox to clear": lambda client: client.mailbox.clear_messages(""),
    "a mailbox to count": lambda client: client.mailbox.unread_count(".a"),
    "a mailbox to look at": lambda client: client.mailbox.agent_stats("a b"),
    "a note's key": lambda client: client.notes.add_note("", "hello"),
    "a note's text": lambda client: client.notes.add_note("a", "x" * 65_537),
    "a key to read": lambda client: client.notes.get_note(""),
    "a key to delete": lambda client: client.notes.delete_note("\n"),
    "an owner of a task": lambda client: client.swarm.claim_task("x", ""),
    "a threshold": lambda client: client.swarm.reset_all_stale(-1.0),
    "a task of no project": lambda client: client.swarm.heal_task("x"),
    "a folder": lambda client: client.swarm.add_project("/no/such/folder"),
    "an agent of traces": lambda client: client.traces.get_traces("a b"),
    "by what it was surfaced": lambda client: client.traces.note_surfaced(["0" * 16], "a b"),
    "an agent of what was surfaced": lambda client: client.traces.get_surfaced("a b"),
    "by what it was not surfaced": lambda client: client.traces.get_surfaced("a", not_by=""),
    "a limit of traces": lambda client: client.traces.get_traces(limit=-1),
    "a path": lambda client: client.swarm.set_active_project(""),
    "an agent to look for": lambda client: client.presence.get_agent("a b"),
    "a holder": lambda client: client.presence.acquire_lease("", "x"),
    "a resource": lambda client: client.presence.acquire_lease("a", "\n"),
    "a lease that there is not": lambda client: client.presence.renew_lease("0" * 16),
    "a topic": lambda client: client.subscribe(""),
    "a number": lambda client: client.subscribe("a", since=-1),
}
"""Calls that are refused, by what is wrong; the key `key` was used by b already."""
