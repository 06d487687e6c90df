"""Every event and command in one table: what it says, who tells it, who listens. Made from contracts and topology."""

import re
from collections.abc import Iterator
from inspect import getdoc

from returpost import contracts
from returpost.contracts import Contract, routing
from returpost.contracts.routing import COMMANDS, EVENTS
from shared.messaging import topology

_HEAD = """# Events and commands

Made by `python -m deploy.generate` from `returpost/contracts` and `shared/messaging/topology.py`. All are CloudEvents
1.0 in JSON, single or batched, of the type `returpost.<name>.v1`, with the routing key `<name>.<tenant>`, some with a
detail behind it. What they hold, field by field:
{documents}.

## Streams

Three streams keep events for {age} days (`RETURPOST_STREAM_DAYS`), or until they reach their size:

- `returpost.archive`: all events, up to 20 GB. Replays read it.
- `returpost.blocks`: `address.blocked`, `address.unblocked` and `address.erased`, up to 5 GB. CRMs and mirrors
  follow it.
- `returpost.changes`: what happened to contacts, selections, projects and operations. CRMs follow it.

A stream is no full history. Whoever starts later, or was away for longer than the stream keeps, takes the current state
first and follows the stream from there: a mirror does so by itself; a CRM takes `returpost blocked export` or
`GET /v1/blocks` ([how](../how-to/crm/follow-blocks.md)).
"""
_STREAMS = {
    routing.BLOCKS: "the stream of blocks",
    routing.CHANGES: "the stream of changes",
    routing.REVOCATIONS: "every service, by a stream",
    routing.CONSUMERS: "every service, by a stream",
}
_TABLE = """
## {title}

| {kind} | what it says | from | read by |
|---|---|---|---|
{rows}
"""


def event_table() -> str:
    """Return the document, in Markdown."""
    documents = ", ".join(f"[{service}](../asyncapi/{service}.json)" for service in routing.SERVICES)
    parts = [_HEAD.format(age=topology.STREAM_DAYS, documents=documents)]
    for title, kind, exchange in (("Events", "event", EVENTS), ("Commands", "command", COMMANDS)):
        rows = "\n".join(sorted(_rows(exchange)))
        parts.append(_TABLE.format(title=title, kind=kind, rows=rows))
    return "".join(parts)


def _rows(exchange: str) -> Iterator[str]:
    for contract in _contracts():
        name = contract.TYPE.removeprefix("returpost.").removesuffix(".v1")
        told, read = _told_by(name, exchange), _read_by(name, exchange)
        if told or read:
            says = " ".join((getdoc(contract) or "").split()).removeprefix("Command: ")
            yield f"| `{name}` | {says[:1].upper()}{says[1:]} | {', '.join(told)} | {', '.join(read)} |"


def _contracts() -> Iterator[type[Contract]]:
    for value in vars(contracts).values():
        if isinstance(value, type) and issubclass(value, Contract) and "TYPE" in vars(value):
            yield value


def _told_by(name: str, exchange: str) -> list[str]:
    """Return the users whose rights let them publish it."""
    users = (*topology.service_users(), topology.sender_user("sender"), topology.crm_user("crm"))
    plain = {"sender-sender": "senders", "crm-crm": "CRMs"}
    return [
        plain.get(user.name, user.name.removeprefix("returpost-"))
        for user in users
        for where, pattern, _ in user.topics
        if where == exchange and any(re.match(pattern, f"{name}.tenant{detail}") for detail in ("", ".sender"))
    ]


def _read_by(name: str, exchange: str) -> list[str]:
    """Return whose queues it is bound to; the archive, which takes all, is left out."""
    readers = {
        _STREAMS.get(queue.name, queue.name.partition(".")[0])
        for queue in topology.queues(("sender",))
        for binding in queue.bindings
        if binding.exchange == exchange and binding.key.startswith(f"{name}.")
    }
    return sorted("the sender" if reader == "sender" else reader for reader in readers)
