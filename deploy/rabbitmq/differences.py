"""What an upgrade would change at a broker: its definitions against the topology of this release. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAY_DIFFER = frozenset(
    {
        "x-delivery-limit",
        "x-initial-cluster-size",
        "x-max-age",
        "x-max-length-bytes",
        "x-queue-leader-locator",
        "x-quorum-initial-group-size",
        "x-stream-max-segment-size-bytes",
    }
)
"""Arguments in which what is at the broker may differ: releases before declared numbers that policies say now, and a
queue keeps the arguments that it was declared with."""
STREAM_ADVICE = (
    "`returpost topology apply --recreate-streams` (where `returpost up` starts the broker, "
    "`returpost up --recreate-streams`) deletes it and declares it anew. The events that it keeps are lost to replay, "
    "and to readers that have not had them yet; addresses, blocks, counts and history are in the database and stay, "
    "mirrors take a new snapshot, and webhooks go on with what comes"
)
QUEUE_ADVICE = "empty and delete it, then apply the topology again"
EXCHANGE_ADVICE = "delete it, then apply the topology again"

Entities = Sequence[Mapping[str, Any]]


class Effect(StrEnum):
    """What an upgrade does about a difference."""

    DONE = "done"
    """It is done by itself, and loses nothing."""
    LEFT = "left"
    """It stays as it is, and disturbs nothing."""
    OBSTACLE = "obstacle"
    """The upgrade stops there until somebody decides."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference, and what becomes of it."""

    effect: Effect
    name: str
    what: str


def differences(
    wanted: Mapping[str, Any], there: Mapping[str, Any], services: Sequence[str] = ()
) -> Iterator[Difference]:
    """Yield what of the wanted definitions is not so at the broker, and what is there of ours and no longer wanted.

    Both are RabbitMQ definitions of one virtual host (https://www.rabbitmq.com/docs/definitions). Ours are the queues
    that begin with the name of a service, and what binds them to our exchanges.
    """
    yield from _exchanges(wanted["exchanges"], there.get("exchanges", ()))
    yield from _queues(wanted["queues"], there.get("queues", ()), services)
    yield from _bindings(wanted, there)
    yield from _policies(wanted["policies"], there.get("policies", ()))


def _exchanges(wanted: Entities, there: Entities) -> Iterator[Difference]:
    types = {one["name"]: one["type"] for one in there}
    for exchange in wanted:
        name, kind = exchange["name"], exchange["type"]
        if name not in types:
            yield Difference(Effect.DONE, name, f"a new exchange ({kind})")
        elif types[name] != kind:
            yield Difference(
                Effect.OBSTACLE, name, f"is of the type {types[name]}, and must be {kind}: {EXCHANGE_ADVICE}"
            )


def _queues(wanted: Entities, there: Entities, services: Sequence[str]) -> Iterator[Difference]:
    found = {one["name"]: one.get("arguments", {}) for one in there}
    for queue in wanted:
        name, arguments = queue["name"], queue["arguments"]
        kind = arguments.get("x-queue-type", "classic")
        if name not in found:
            yield Difference(Effect.DONE, name, f"a new queue ({kind})")
        elif other := _other(arguments, found[name]):
            advice = STREAM_ADVICE if found[name].get("x-queue-type") == "stream" else QUEUE_ADVICE
            yield Difference(Effect.OBSTACLE, name, f"was declared with {', '.join(other)}: {advice}")
    names = {queue["name"] for queue in wanted}
    for name in sorted(found.keys() - names):
        if name.partition(".")[0] in services:
            yield Difference(Effect.LEFT, name, "no service reads it any more; delete it when it is empty")


def _other(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Return the arguments that RabbitMQ would refuse to change."""
    keys = sorted((wanted.keys() | there.keys()) - MAY_DIFFER)
    return [
        f"{key}={there.get(key, 'nothing')} in place of {wanted.get(key, 'nothing')}"
        for key in keys
        if wanted.get(key) != there.get(key)
    ]


def _bindings(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Difference]:
    exchanges = {one["name"] for one in wanted["exchanges"]}
    queues = {one["name"] for one in wanted["queues"]}
    needed, found = ({_route(one) for one in side.get("bindings", ())} for side in (wanted, there))
    existing = {one["name"] for one in there.get("queues", ())}
    for source, queue, key in sorted(needed - found):
        if queue in existing:  # a new queue comes with its bindings
            yield Difference(Effect.DONE, queue, f"is bound to {source} with {key or 'every key'}")
    for source, queue, key in sorted(found - needed):
        if source in exchanges and queue in queues:
            yield Difference(
                Effect.LEFT, queue, f"is bound to {source} with {key or 'every key'}, which this release does not need"
            )


def _route(binding: Mapping[str, Any]) -> tuple[str, str, str]:
    return binding["source"], binding["destination"], binding["routing_key"]


def _policies(wanted: Entities, there: Entities) -> Iterator[Difference]:
    found = {one["name"]: one for one in there}
    for policy in wanted:
        name = policy["name"]
        if name not in found:
            yield Difference(Effect.DONE, name, f"a new policy: {_said(policy['definition'])}")
            continue
        before, after = found[name]["definition"], policy["definition"]
        keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        changes = [f"{key} {before.get(key, 'nothing')} → {after.get(key, 'nothing')}" for key in keys]
        if found[name]["pattern"] != policy["pattern"]:
            changes.append(f"queues {found[name]['pattern']} → {policy['pattern']}")
        if changes:
            yield Difference(Effect.DONE, name, f"the policy changes: {', '.join(changes)}")


def _said(definition: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(definition.items()))
