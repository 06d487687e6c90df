"""What a dead letter's bytes say of themselves: type, tenant, mailing and id. They may break any rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from returpost.contracts import Contract
from returpost.contracts.routing import COMMANDS, EVENTS

MAX_NAME = 200
"""Characters of a name that are kept: as many as an id has (`returpost.contracts.Id`)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one event, or of a batch as far as all its events agree; empty where nothing is known."""

    event_type: str = ""
    event_id: str = ""
    """Only of a single event: such a one may share a message with others."""
    tenant: str = ""
    mailing: str = ""
    obstacle: str = ""
    """Why it cannot be replayed, if so."""


NO_QUEUE = "it never reached a queue"
FOREIGN = "it names a tenant or a sender that its routing key does not"
"""The broker held its sender to the routing key, which a replayed message no longer has."""


@cache
def contracts() -> Mapping[str, type[Contract]]:
    """Return every contract by its type."""
    found: dict[str, type[Contract]] = {}
    pending = [Contract]
    while pending:
        for kind in pending.pop().__subclasses__():
            pending.append(kind)
            if type_ := getattr(kind, "TYPE", None):
                found[type_] = kind
    return found


def read_facts(body: bytes, queue: str, exchange: str, routing_key: str) -> Facts:
    """Return what is known of a dead letter. Raises nothing."""
    events, single = _events(body)
    parts = routing_key.split(".") if exchange in (EVENTS, COMMANDS) else []
    routed = parts[2] if len(parts) > 2 else ""
    tenants = {_text(event, "tenant") for event in events} - {""}
    foreign = bool(routed) and bool(tenants - {routed})
    if len(parts) > 3:
        foreign = foreign or any(_detail(event) not in (None, parts[3]) for event in events)
    return Facts(
        _common({_text(event, "type") for event in events}),
        _common({_text(event, "id") for event in events}) if single else "",
        routed[:MAX_NAME] or _common(tenants),
        _common({_mailing(event) for event in events}),
        NO_QUEUE if not queue else FOREIGN if foreign else "",
    )


def _events(body: bytes) -> tuple[list[dict[str, Any]], bool]:
    try:
        value = orjson.loads(body)
    except ValueError:
        return [], False
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)], isinstance(value, dict)


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "\ufffd")[:MAX_NAME]


def _data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def _mailing(event: Mapping[str, Any]) -> str:
    return _text(_data(event), "mailing")


def _detail(event: Mapping[str, Any]) -> str | None:
    contract = contracts().get(_text(event, "type"))
    if contract is None or contract.DETAIL is None:
        return None
    return _text(_data(event), contract.DETAIL)


def _common(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""
