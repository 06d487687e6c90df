"""The topology as RabbitMQ loads it when it starts."""

from collections.abc import Iterable
from typing import Any

from shared.messaging import topology


def definitions(
    senders: Iterable[str] = ("default",), vhost: str = "/", stream_days: int = topology.STREAM_DAYS
) -> dict[str, Any]:
    """RabbitMQ definitions of the entities, without users: passwords belong to no file that is committed.

    https://www.rabbitmq.com/docs/definitions
    """
    all_queues = topology.queues(senders)
    return {
        "vhosts": [{"name": vhost}],
        "exchanges": [
            {"name": e.name, "vhost": vhost, "type": e.type, "durable": True, "auto_delete": False, "arguments": {}}
            for e in topology.EXCHANGES
        ],
        "queues": [
            {"name": q.name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": q.arguments}
            for q in all_queues
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": vhost,
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": binding.key,
                "arguments": {},
            }
            for queue in all_queues
            for binding in queue.bindings
        ],
        "policies": [
            {
                "name": policy.name,
                "vhost": vhost,
                "pattern": policy.pattern,
                "apply-to": "queues",
                "definition": policy.definition,
                "priority": topology.POLICY_PRIORITY,
            }
            for policy in topology.policies(stream_days)
        ],
    }
