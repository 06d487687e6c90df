"""The check over RabbitMQ: a question with `reply_to`, and the answer to it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.publisher import Message
from returpost.contracts import AddressCheck, Text, ids
from returpost.contracts.cloudevents import Event, decode, event
from returpost.errors import InvalidMessage
from services.blocklist.checks import check
from shared.messaging.unit_of_work import UnitOfWork

Publish = Callable[[Sequence[Message]], Awaitable[object]]
NOBODY = "unknown"


class Question(AddressCheck):
    """A question with where its answer goes."""

    reply_to: Text = ""
    correlation_id: Text | None = None
    problem: Text = ""
    """What is wrong with it; it is answered with that."""


def read_question(message: AbstractIncomingMessage) -> Event[Question]:
    """Read a question; one that breaks the contract is a question all the same."""
    tenant = (message.routing_key or "").rpartition(".")[2] or NOBODY
    try:
        events, rejected = decode(AddressCheck, message.body)
        problem = rejected[0].error if rejected else ""
    except InvalidMessage as error:
        events, problem = [], str(error)
    if not problem and (len(events) != 1 or events[0].tenant != tenant):
        problem = f"one question a message, of the tenant of its routing key, which is {tenant}"
    asked = events[0].data if events else AddressCheck.model_construct(addresses=[], stream=None)
    data = Question.model_construct(
        addresses=asked.addresses,
        stream=asked.stream,
        problem=problem,
        reply_to=message.reply_to or "",
        correlation_id=message.correlation_id,
    )
    identity = events[0].id if events else ids.of_bytes(tenant, message.body)
    return event(data, id=identity, source="/returpost/blocklist", tenant=tenant)


async def take_questions(
    events: Sequence[Event[Question]], work: UnitOfWork, publish: Publish, clock: Callable[[], datetime]
) -> None:
    """Answer questions; one without `reply_to` can be answered to nobody."""
    answers: list[Message] = []
    for item in events:
        asked = item.data
        if not asked.reply_to:
            work.refuse(item, asked.problem or "reply_to: missing; nobody would hear the answer")
            continue
        if asked.problem:
            body = json.dumps({"problem": asked.problem}).encode()
        else:
            body = await check.check(work.connection, item.tenant, asked.addresses, asked.stream, clock())
        answers.append(Message("", asked.reply_to, body, "application/json", correlation_id=asked.correlation_id))
    await publish(answers)
