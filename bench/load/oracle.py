"""What the state must be: a plain model over the set of inputs, which shares no rule's code with the services."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.load.workload import Input, address_of

ACCEPTED = 5
STATUS = {
    "delivered": "delivered",
    "complained": "complained",
    "soft": "soft_bounced",
    "dead": "hard_bounced",
    "counted": "hard_bounced",
}


@dataclass
class Expected:
    """The state of every service, and how many events each queue sees."""

    standings: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    """Return count and cause of the block by address."""
    statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    """Status by mailing and address."""
    soft: set[tuple[str, str]] = field(default_factory=set)
    """Mailing and address of each retry."""
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Events by queue and outcome."""


def expect(made: Iterable[Input]) -> Expected:
    """Return what these inputs lead to, in whatever order and however often they come."""
    expected = Expected()
    known: dict[int, dict[int, str]] = defaultdict(dict)
    for item in made:
        _count(expected.events, item.kind)
        if item.kind != "junk":
            known[item.address][item.mailing] = item.kind
    for number, mailings in known.items():
        address = address_of(number)
        for mailing, kind in mailings.items():
            expected.statuses[f"mailing-{mailing}", address] = STATUS[kind]
            if kind == "soft":
                expected.soft.add((f"mailing-{mailing}", address))
        expected.standings[address] = _standing(mailings)
    return expected


def _standing(mailings: dict[int, str]) -> tuple[int, str | None]:
    delivered = max((mailing for mailing, kind in mailings.items() if kind == "delivered"), default=-1)
    count = sum(kind in ("dead", "counted") and mailing > delivered for mailing, kind in mailings.items())
    if "dead" in mailings.values():
        return count, "dead_address"
    if "complained" in mailings.values():
        return count, "complaint"
    return count, "return_count" if count > ACCEPTED else None


def _count(events: Counter[tuple[str, str]], kind: str) -> None:
    events["ingest.delivery-result", "rejected" if kind == "junk" else "processed"] += 1
    if kind == "junk":
        events["replay.dead-letters", "processed"] += 1
        return
    events["actions.delivery-recorded", "processed"] += 1
    if kind == "delivered":
        events["classifier.delivery-recorded", "processed"] += 1
    if kind in ("delivered", "complained"):
        events["blocklist.delivery-recorded", "processed"] += 1
    else:
        events["classifier.bounce-received", "processed"] += 1
        events["blocklist.bounce-classified", "processed"] += 1
        events["actions.bounce-classified", "processed"] += 1


def differences(expected: Expected, standings: dict[str, tuple[int, str | None]],
                statuses: dict[tuple[str, str], str], soft: set[tuple[str, str]]) -> list[str]:  # fmt: skip
    """Return what differs, a line each; nothing when the state is right."""
    known = {address: standing for address, standing in expected.standings.items() if standing != (0, None)}
    found = {address: standing for address, standing in standings.items() if standing != (0, None)}
    return [
        *(f"standing of {a}: {found.get(a)}, not {known.get(a)}" for a in known.keys() | found.keys()
          if found.get(a) != known.get(a)),
        *(f"status of {r}: {statuses.get(r)}, not {expected.statuses.get(r)}"
          for r in expected.statuses.keys() | statuses.keys() if statuses.get(r) != expected.statuses.get(r)),
        *(f"retry of {r}: {'missing' if r in expected.soft else 'one too many'}" for r in expected.soft ^ soft),
    ]  # fmt: skip
