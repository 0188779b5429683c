"""Compares a history with what mailboxes promise, recipient by recipient.

What is said about time is said by ends and beginnings: only what had ended before something else began came first.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator

from .history import Found, History, Read, Send

_Message = tuple[str, str]  # recipient and id


def problems(history: History) -> list[str]:
    """Return what is wrong with a history, each in a line."""
    rules = (lost, hidden, strange, doubled, keyed_twice, out_of_order, come_back, misnumbered)
    return [f"{rule.__name__}: {problem}" for rule in rules for problem in rule(history)]


def lost(history: History) -> Iterator[str]:
    """What was receipted to survive, and nobody has begun to acknowledge, is there in the end."""
    acknowledging = _acknowledging(history)
    there = {(agent, id) for agent, found in history.final.items() for id, _ in found}
    for send in history.sends:
        if send.kept and send.id and (send.to, send.id) not in acknowledging and (send.to, send.id) not in there:
            yield f"{send.label} to {send.to}, {send.id}"


def hidden(history: History) -> Iterator[str]:
    """What was receipted is unread for whoever reads in the same Observatory, until somebody acknowledges it."""
    acknowledging = _acknowledging(history)
    sends, reads = _by_mailbox_sends(history), _by_mailbox_reads(history)
    for mailbox, read_here in reads.items():
        waiting: dict[str, Send] = {}
        coming = sorted((send for send in sends[mailbox] if send.id), key=lambda send: send.ended, reverse=True)
        for read in read_here:
            while coming and coming[-1].ended < read.began:
                send = coming.pop()
                waiting[str(send.id)] = send
            found = {id for id, _ in read.found}
            for id in waiting.keys() - found:
                send = waiting.pop(id)
                if acknowledging.get((read.agent, id), math.inf) > read.ended:
                    yield f"{send.label} to {send.to}, {id}, from {read.client} in {read.table}"


def strange(history: History) -> Iterator[str]:
    """What is found was sent to that recipient, as it is found, and not later than it is found."""
    begun: dict[_Message, float] = {}
    for send in history.sends:
        begun.setdefault((send.to, send.label), send.began)
    for agent, found, when in _views(history):
        for id, label in found:
            if (agent, label) not in begun or begun[agent, label] > when:
                yield f"{label[:100]!r} for {agent}, {id}"


def doubled(history: History) -> Iterator[str]:
    """Each message is in a mailbox once, and as many messages as were asked for have its content."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for agent, found, _ in _views(history):
        if len({id for id, _ in found}) < len(found):
            yield f"{Counter(id for id, _ in found).most_common(1)} for {agent}"
        for id, label in found:
            ids[label].add(id)
    wanted: defaultdict[str, set[object]] = defaultdict(set)
    for send in history.sends:
        wanted[send.label].add(_effect(send, history))
        if send.id:
            ids[send.label].add(send.id)
    for label, there in ids.items():
        if len(there) > max(1, len(wanted[label])):  # what nobody wanted is strange
            yield f"{label[:100]} is {len(there)} messages, and not {len(wanted[label])}: {sorted(there)}"


def keyed_twice(history: History) -> Iterator[str]:
    """Of all sends under one key at most one is the first, and all have the same message."""
    effects: defaultdict[object, list[Send]] = defaultdict(list)
    for send in history.sends:
        if send.key is not None and send.id:
            effects[_effect(send, history)].append(send)
    for sends in effects.values():
        if len({(send.id, send.sequence) for send in sends}) > 1 or sum(not send.duplicate for send in sends) > 1:
            yield f"{sends[0].key} of {sends[0].client}: {[(send.id, send.duplicate) for send in sends]}"


def out_of_order(history: History) -> Iterator[str]:
    """What one client has sent to one recipient is found in the order in which it was sent."""
    places: dict[str, tuple[str, int]] = {}
    for place, send in enumerate(history.sends):
        places.setdefault(send.label, (send.client, place))  # what is sent again under its key is sent at once
    for agent, found, _ in _views(history):
        last: dict[str, tuple[int, str]] = {}
        for _, label in found:
            client, place = places.get(label, (label, 0))
            if client in last and last[client][0] > place:
                yield f"{label} for {agent} is behind {last[client][1]}"
            last[client] = place, label


def come_back(history: History) -> Iterator[str]:
    """What was acknowledged is unread no more: not there, not in what is opened later, and in no other for good."""
    done: defaultdict[_Message, dict[str, float]] = defaultdict(dict)  # when, by Observatory
    for each in history.acknowledgements:
        for id in each.ids if each.ended < math.inf else ():
            here = done[each.agent, id]
            here[each.table] = min(each.ended, here.get(each.table, math.inf))
    opened = {opening.table: opening.began for opening in history.openings}
    for agent, found in history.final.items():
        yield from (f"{label} for {agent}, {id}, in the end" for id, label in found if (agent, id) in done)
    for (table, agent), reads in _by_mailbox_reads(history).items():
        for read, gone in _with_gone(reads):
            for id, label in read.found:
                when = done.get((agent, id), {})
                before = when.get(table, math.inf) < read.began or min(when.values(), default=math.inf) < opened[table]
                if before or id in gone:
                    yield f"{label} for {agent}, {id}, to {read.client} in {table}"


def _with_gone(reads: list[Read]) -> Iterator[tuple[Read, set[str]]]:
    """Yield each read of a mailbox, with what an earlier one had not found any more that a still earlier one had."""
    seen: set[str] = set()
    gone: set[str] = set()
    under_way: list[tuple[Read, set[str]]] = []
    for read in reads:
        for other, missed in [each for each in under_way if each[0].ended < read.began]:
            under_way.remove((other, missed))
            seen.update(id for id, _ in other.found)
            gone |= missed
        yield read, gone
        under_way.append((read, seen - {id for id, _ in read.found}))


def misnumbered(history: History) -> Iterator[str]:
    """No number is given twice, and a later send has a later one."""
    mailboxes: defaultdict[_Message, list[Send]] = defaultdict(list)
    for send in history.sends:
        if send.id and not send.duplicate:
            mailboxes[send.to, "" if history.lasting else send.table].append(send)
    for (to, _), sends in mailboxes.items():
        if len({send.sequence for send in sends}) < len(sends):
            yield f"{Counter(send.sequence for send in sends).most_common(1)} to {to}"
        ended = sorted(sends, key=lambda send: send.ended, reverse=True)
        last = 0
        for send in sends:
            while ended and ended[-1].ended < send.began:
                last = max(last, ended.pop().sequence)
            if send.sequence < last:
                yield f"{send.label} to {to} has {send.sequence}, after {last} was given"


def _effect(send: Send, history: History) -> object:
    """Return what sends have in common that are one message."""
    if send.key is None:
        return send
    return send.client, send.key, "" if history.lasting else send.table


def _acknowledging(history: History) -> dict[_Message, float]:
    """Return when somebody first began to acknowledge what."""
    first: dict[_Message, float] = {}
    for each in history.acknowledgements:
        for id in each.ids:
            first.setdefault((each.agent, id), each.began)
    return first


def _views(history: History) -> Iterator[tuple[str, Found, float]]:
    """Yield whose mailbox was looked into, what was found, and when."""
    for read in history.reads:
        yield read.agent, read.found, read.ended
    for agent, found in history.final.items():
        yield agent, found, math.inf


def _by_mailbox_reads(history: History) -> dict[tuple[str, str], list[Read]]:
    mailboxes: defaultdict[tuple[str, str], list[Read]] = defaultdict(list)
    for read in history.reads:
        mailboxes[read.table, read.agent].append(read)
    return mailboxes


def _by_mailbox_sends(history: History) -> defaultdict[tuple[str, str], list[Send]]:
    mailboxes: defaultdict[tuple[str, str], list[Send]] = defaultdict(list)
    for send in history.sends:
        mailboxes[send.table, send.to].append(send)
    return mailboxes
