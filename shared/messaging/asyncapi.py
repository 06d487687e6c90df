"""The AsyncAPI document of a service, made from its wiring (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from returpost.contracts import Contract
from returpost.contracts.cloudevents import Event

SCHEMAS = "#/components/schemas/{model}"
_SERVER = {"host": "localhost:5672", "pathname": "/", "protocol": "amqp", "protocolVersion": "0.9.1"}
_BINDING = "0.3.0"


@dataclass(frozen=True, slots=True)
class Consumed:
    """A queue that a service reads."""

    queue: str
    contract: type[Contract]


@dataclass(frozen=True, slots=True)
class Published:
    """An event or command that a service publishes."""

    exchange: str
    routing_key: str
    contract: type[Contract]


def asyncapi(
    title: str, description: str, consumed: Sequence[Consumed], published: Sequence[Published]
) -> dict[str, Any]:
    """Return the document: a channel, an operation and a message for each queue, event and command."""
    contracts = [one.contract for one in consumed] + [one.contract for one in published]
    models = {contract: Event[contract] for contract in contracts}  # type: ignore[valid-type]
    references, definitions = models_json_schema(
        [(model, "validation") for model in models.values()], by_alias=True, ref_template=SCHEMAS
    )
    payloads = {contract: references[model, "validation"] for contract, model in models.items()}
    parts = [
        (one.queue, "receive", _queue(one), one.contract, {"ack": True, "cc": [one.queue]}) for one in consumed
    ] + [
        (
            one.contract.TYPE,
            "send",
            _exchange(one),
            one.contract,
            {"ack": True, "cc": [one.routing_key], "deliveryMode": 2, "mandatory": True},
        )
        for one in published
    ]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": "1.0.0", "description": description},
        "defaultContentType": "application/json",
        "servers": {"development": _SERVER},
        "channels": {name: _channel(name, binding, contract) for name, _, binding, contract, _ in parts},
        "operations": {name: _operation(name, action, amqp) for name, action, _, _, amqp in parts},
        "components": {
            "messages": {
                name: {"title": contract.TYPE, "payload": payloads[contract]} for name, _, _, contract, _ in parts
            },
            "schemas": definitions.get("$defs", {}),
        },
    }


def _queue(one: Consumed) -> dict[str, Any]:
    queue = {"name": one.queue, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}
    return {"address": one.queue, "amqp": {"is": "queue", "queue": queue}}


def _exchange(one: Published) -> dict[str, Any]:
    exchange = {"name": one.exchange, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}
    return {"address": one.routing_key, "amqp": {"is": "routingKey", "exchange": exchange}}


def _channel(name: str, binding: dict[str, Any], contract: type[Contract]) -> dict[str, Any]:
    return {
        "address": binding["address"],
        "description": contract.__doc__,
        "servers": [{"$ref": "#/servers/development"}],
        "bindings": {"amqp": binding["amqp"] | {"bindingVersion": _BINDING}},
        "messages": {"message": {"$ref": f"#/components/messages/{name}"}},
    }


def _operation(name: str, action: str, amqp: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/message"}],
        "bindings": {"amqp": amqp | {"bindingVersion": _BINDING}},
    }
