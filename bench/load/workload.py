"""The input of the pipeline benchmark: made from a seed, known in full, with repeats, junk and disorder."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from returpost.contracts import DeliveryResult, ids

SENDER = "bench"
MAILINGS = 10
JUNK, COMPLAINT, SOFT, DEAD, COUNTED, REPEAT = 0.005, 0.005, 0.05, 0.02, 0.02, 0.01
"""Shares of results: 4% hard, half of them dead addresses, half in every mailing, so that the count blocks them."""

DELIVERED = {"result": "delivered"}
OUTCOMES = {
    "delivered": DELIVERED,
    "complained": {"result": "complained", "feedback_type": "abuse"},
    "soft": {"result": "bounced", "diagnostic": "452 4.2.2 The recipient's mailbox is full, try again later"},
    "dead": {"result": "bounced", "diagnostic": "550 5.1.1 <recipient>: Recipient address rejected: User unknown"},
    "counted": {
        "result": "bounced",
        "diagnostic": "554 5.7.1 Service unavailable; Client host blocked using bl.example",
    },
}


@dataclass(frozen=True, slots=True)
class Input:
    """One result and what it is; `kind` is a key of `OUTCOMES`, or `junk`."""

    kind: str
    mailing: int
    address: int
    body: bytes


def inputs(count: int, tenant: str, seed: int = 1, junk: float = JUNK) -> list[Input]:
    """Return `count` results in disorder, repeats included; each address is in every mailing."""
    source = random.Random(seed)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=MAILINGS + 1)
    made: list[Input] = []
    for address in range(count // MAILINGS):
        always = "counted" if source.random() < COUNTED else None
        for mailing in range(MAILINGS):
            kind = always or _kind(source, junk)
            moment = start + timedelta(days=mailing, milliseconds=address)
            made.append(Input(kind, mailing, address, _body(tenant, kind, mailing, address, moment)))
    made += source.sample(made, int(len(made) * REPEAT))
    source.shuffle(made)
    return made


def messages(made: list[Input], size: int) -> list[bytes]:
    """Return the results as messages of `size` each."""
    if size == 1:
        return [item.body for item in made]
    return [b"[" + b",".join(_bodies(made[start : start + size])) + b"]" for start in range(0, len(made), size)]


def address_of(number: int) -> str:
    """Return the address with a number."""
    return f"recipient.{number}@domain-{number % 97}.example"


def _bodies(made: list[Input]) -> Iterator[bytes]:
    return (item.body for item in made)


def _kind(source: random.Random, junk: float) -> str:
    point = source.random()
    for kind, share in (("junk", junk), ("complained", COMPLAINT), ("soft", SOFT), ("dead", DEAD)):
        if point < share:
            return kind
        point -= share
    return "delivered"


def _body(tenant: str, kind: str, mailing: int, address: int, moment: datetime) -> bytes:
    name = f"mailing-{mailing}"
    data = {
        "mailing": name,
        "address": address_of(address),
        "time": "no time at all" if kind == "junk" else moment.isoformat(),
        "sender": SENDER,
        **OUTCOMES.get(kind, DELIVERED),
    }
    event = {
        "specversion": "1.0",
        "id": ids.of_content(name, address),
        "source": f"/senders/{SENDER}",
        "type": DeliveryResult.TYPE,
        "subject": name,
        "time": moment.isoformat(),
        "datacontenttype": "application/json",
        "tenant": tenant,
        "data": data,
    }
    return json.dumps(event, separators=(",", ":")).encode()
