"""Whether an event may have come the way it came, and who gave it.

RabbitMQ checks the key that a message is published with, and nothing else: the headers CC and BCC route it to further
keys, which no permission covers (https://www.rabbitmq.com/docs/sender-selected,
https://www.rabbitmq.com/docs/access-control#topic-authorisation). A delivery names the key that was checked. So a
consumer takes an event only when that key is one of its queue's own, and the event is what the key says. Who published
is what RabbitMQ has verified (https://www.rabbitmq.com/docs/validated-user-id), not what the body says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, TypeVar

from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.publisher import user_of
from returpost.contracts import Contract
from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import DEAD, REPLAY, REPLAY_OUTCOMES, misrouted, routed_elsewhere
from shared.messaging.dead_letters import EXCHANGE, ROUTING_KEY, USER
from shared.messaging.topology import binding_matches, queues, service_users

D = TypeVar("D", bound=Contract)

SERVICE_USERS: Final = frozenset(user.name for user in service_users())
"""They speak for others: whom they name has been authenticated by HTTP."""
MAX_USER: Final = 255
"""AMQP 0-9-1: `user-id` is a short string."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a message was published; of a replayed one, how it was published at first."""

    exchange: str
    routing_key: str
    user: str | None
    """The broker's user, verified by RabbitMQ; None when the message does not name it."""
    is_service: bool
    """A service published it, or whoever shares the services' user."""


def origin_of(message: AbstractIncomingMessage) -> Origin:
    """Return how a message was published."""
    user = message.user_id
    is_service = user is not None and (user in SERVICE_USERS or user == user_of(message.channel))
    if message.exchange != REPLAY or not is_service:
        return Origin(message.exchange or "", message.routing_key or "", user, is_service)
    first = [_text(message.headers, header) for header in (EXCHANGE, ROUTING_KEY, USER)]
    return Origin(
        first[0], first[1], first[2] or None, first[2] in SERVICE_USERS or first[2] == user_of(message.channel)
    )


def refusal(message: AbstractIncomingMessage, origin: Origin, queue: str) -> str:
    """Say why this message may not have come into this queue; nothing when it may."""
    if message.exchange in (DEAD, REPLAY_OUTCOMES):
        return ""  # fan-outs, which only services write to; who reads them looks at whatever is in them
    if error := routed_elsewhere(message.headers):
        return error
    if not _takes(queue, origin.exchange, origin.routing_key):
        return f"routing key: {origin.routing_key!r} of {origin.exchange!r} is none of this queue's"
    return ""


def judge(events: list[Event[D]], origin: Origin, contract: type[D]) -> list[Event[D] | str]:
    """Return each event as it may be applied, or why it may not; the same list when all may be as they are."""
    if origin.is_service or not contract.ATTRIBUTED:
        named = (
            attrgetter("tenant", f"data.{contract.DETAIL}") if contract.DETAIL else lambda event: (event.tenant, None)
        )
        if all(not misrouted(origin.routing_key, contract.TYPE, *whose) for whose in set(map(named, events))):
            return events  # type: ignore[return-value]
    return [accepted(event, origin, contract) for event in events]


def accepted(event: Event[D], origin: Origin, contract: type[D]) -> Event[D] | str:
    """Return the event as it may be applied, or why it may not.

    What is attributed to somebody is attributed to the broker user who published it, unless that is a service.
    """
    detail = None if contract.DETAIL is None else getattr(event.data, contract.DETAIL)
    if error := misrouted(origin.routing_key, event.type, event.tenant, detail):
        return error
    if not contract.ATTRIBUTED or origin.is_service:
        return event
    if origin.user is None:
        return (
            "user_id: missing; set this property of the message to the name of the broker's user, which RabbitMQ checks"
        )
    if "by" in contract.model_fields:
        return event.model_copy(update={"data": event.data.model_copy(update={"by": origin.user})})
    return event.model_copy(update={"source": f"/users/{origin.user}"})


@lru_cache(maxsize=4096)
def _takes(queue: str, exchange: str, key: str) -> bool:
    return any(binding_matches(pattern, key) for pattern in _patterns().get((queue, exchange), ()))


@cache
def _patterns() -> Mapping[tuple[str, str], Sequence[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for queue in queues(()):
        for binding in queue.bindings:
            if binding.exchange != REPLAY:
                found.setdefault((queue.name, binding.exchange), []).append(binding.key)
    return found


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    return value[:MAX_USER] if isinstance(value, str) else ""
