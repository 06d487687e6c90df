"""The check over RabbitMQ: a request with `reply_to`, and the answer to it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.publisher import Message
from returpost.contracts import AddressCheck, Text, ids
from returpost.contracts.cloudevents import Event, decode
from returpost.errors import InvalidMessage
from services.blocklist.address_state.events import new_event
from services.blocklist.checks import check
from services.blocklist.checks.domains.memory import KnownDomainBlocks
from shared.messaging.acceptance import Origin, origin_of
from shared.messaging.unit_of_work import UnitOfWork

Publish = Callable[[Sequence[Message]], Awaitable[object]]
NOBODY = "unknown"
DIRECT_REPLY_TO = "amq.rabbitmq.reply-to."
"""How RabbitMQ names whoever asked with `reply_to` set to `amq.rabbitmq.reply-to`; the rest cannot be guessed
(https://www.rabbitmq.com/docs/direct-reply-to)."""
NO_REPLY_TO = (
    "reply_to: not the asker's own; use amq.rabbitmq.reply-to, or a queue that is named reply.<user> or begins with "
    "reply.<user>. and set user_id"
)


class CheckRequest(AddressCheck):
    """A check with where its answer goes."""

    reply_to: Text = ""
    correlation_id: Text | None = None
    problem: Text = ""
    """What is wrong with it; it is answered with that."""


def read_check(message: AbstractIncomingMessage) -> Event[CheckRequest]:
    """Read a request; one that breaks the contract is a request all the same."""
    origin = origin_of(message)
    tenant = origin.routing_key.rpartition(".")[2] or NOBODY
    try:
        events, rejected = decode(AddressCheck, message.body)
        problem = rejected[0].error if rejected else ""
    except InvalidMessage as error:
        events, problem = [], str(error)
    if not problem and (len(events) != 1 or events[0].tenant != tenant):
        problem = f"one question a message, of the tenant of its routing key, which is {tenant}"
    data = events[0].data if events else AddressCheck.model_construct(addresses=[], stream=None)
    request = CheckRequest.model_construct(
        addresses=data.addresses,
        stream=data.stream,
        problem=problem,
        reply_to=message.reply_to if message.reply_to and _is_askers(message.reply_to, origin) else "",
        correlation_id=message.correlation_id,
    )
    return new_event(request, id=events[0].id if events else ids.of_bytes(tenant, message.body), tenant=tenant)


def _is_askers(reply_to: str, origin: Origin) -> bool:
    """Tell whether an answer goes to nobody but the asker: this service may write into any queue."""
    if reply_to.startswith(DIRECT_REPLY_TO):
        return True
    own = f"reply.{origin.user}"
    return origin.user is not None and (reply_to == own or reply_to.startswith(f"{own}."))


async def answer_checks(
    events: Sequence[Event[CheckRequest]],
    work: UnitOfWork,
    publish: Publish,
    clock: Callable[[], datetime],
    domain_blocks: KnownDomainBlocks | None = None,
) -> None:
    """Answer requests; one without `reply_to` can be answered to nobody."""
    answers: list[Message] = []
    for event in events:
        request = event.data
        if not request.reply_to:
            work.refuse(event, request.problem or NO_REPLY_TO)
            continue
        if request.problem:
            body = json.dumps({"problem": request.problem}).encode()
        else:
            question = (event.tenant, request.addresses, request.stream, clock())
            body = await check.check(work.connection, *question, domain_blocks=domain_blocks)
        answers.append(Message("", request.reply_to, body, "application/json", correlation_id=request.correlation_id))
    await publish(answers)
