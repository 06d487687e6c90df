"""An oracle: the rules once more, as naively as they can be said, over the whole set of inputs of one address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from returpost.contracts import (
    BlockClear,
    BlockSet,
    BounceClassified,
    DeliveryRecorded,
    SubscriptionConfirmed,
    SuppressionLift,
    SuppressionSet,
    Verdict,
    ids,
)
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BlockCause, Fault, Reason, Result, VerdictType

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Input:
    """One thing that happened to an address, `minute` minutes after the start."""

    what: str
    address: int
    minute: int
    mailing: str = ""


WHATS = ("dead", "full", "spam", "echo", "exhausted", "soft", "complaint", "delivered", "manual", "clear")
ABOUT_PERSONS = ("unsubscribed", "subscribed", "left", "back")


def inputs(addresses: int = 3, minutes: int = 30) -> st.SearchStrategy[Input]:
    """Return a strategy for inputs, with few addresses, mailings and moments, so that they meet."""
    mailings = st.integers(0, 9).map("m{}".format)
    return st.builds(
        Input,
        st.sampled_from((*WHATS, *ABOUT_PERSONS)),
        st.integers(0, addresses - 1),
        st.integers(0, minutes),
        mailings,
    )


def address(n: int) -> str:
    return f"U{n}@example.com"


def moment(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def expected(seen: Iterable[Input], accepted: int = 5) -> tuple[int, str | None]:
    """Return the return count and the cause of the block of one address."""
    seen = list(seen)
    cleared = max((i.minute for i in seen if i.what == "clear"), default=-1)
    delivered = max((i.minute for i in seen if i.what == "delivered"), default=-1)
    valid = [i for i in seen if i.minute > cleared]
    count = len({i.mailing for i in valid if i.what in ("dead", "full", "spam", "exhausted") and i.minute > delivered})
    happened = {i.what for i in valid}
    last = {what: max((i.minute for i in seen if i.what == what), default=-1) for what in ABOUT_PERSONS}
    if last["unsubscribed"] >= max(last["subscribed"], 0):
        happened.add("unsubscribe holds")
    if last["left"] > last["back"]:
        happened.add("all have left")
    for what, cause in (
        ("dead", "dead_address"),
        ("complaint", "complaint"),
        ("unsubscribe holds", "unsubscribed"),
        ("all have left", "former_employee"),
        ("manual", "manual"),
    ):
        if what in happened:
            return count, cause
    return count, "return_count" if count > accepted else None


_VERDICTS = {
    "dead": (VerdictType.HARD, Reason.USER_UNKNOWN, Fault.RECIPIENT, True),
    "full": (VerdictType.HARD, Reason.MAILBOX_FULL, Fault.RECIPIENT, False),
    "spam": (VerdictType.HARD, Reason.SPAM_CONTENT, Fault.SENDER, False),
    "echo": (VerdictType.HARD, Reason.SUPPRESSED, Fault.NONE, False),
    "exhausted": (VerdictType.SOFT, Reason.GREYLISTED, Fault.NETWORK, False),
    "soft": (VerdictType.SOFT, Reason.MAILBOX_FULL, Fault.RECIPIENT, False),
}

_RESULTS = {
    "delivered": Result.DELIVERED, "complaint": Result.COMPLAINED, "unsubscribed": Result.UNSUBSCRIBED,
}  # fmt: skip


def message(given: Input, tenant: str) -> Event[Any]:
    """Return the event or command that says it."""
    data: Any
    where = {"mailing": given.mailing, "address": address(given.address), "time": moment(given.minute)}
    if given.what in _VERDICTS:
        type_, reason, fault, dead = _VERDICTS[given.what]
        verdict = Verdict(type=type_, reason=reason, fault=fault, confidence=0.9, dead_address=dead, rule="test.rule")
        data = BounceClassified(
            **where, sender="default", verdict=verdict, attempt=1, exhausted=given.what == "exhausted"
        )
    elif given.what in _RESULTS:
        data = DeliveryRecorded(**where, sender="default", result=_RESULTS[given.what])
    elif given.what == "subscribed":
        data = SubscriptionConfirmed(address=address(given.address), time=moment(given.minute))
    elif given.what in ("left", "back"):
        command = SuppressionSet if given.what == "left" else SuppressionLift
        data = command(
            addresses=[address(given.address)], cause=BlockCause.FORMER_EMPLOYEE, time=moment(given.minute), by="ann"
        )
    else:
        kind = BlockSet if given.what == "manual" else BlockClear
        data = kind(addresses=[address(given.address)], time=moment(given.minute), by="ann")
    return event(data, id=ids.of_content(tenant, repr(given)), source="/test", tenant=tenant)
