"""An oracle: what becomes of one recipient, said naively over the whole set of things that happened."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceReceived,
    DeliveryRecorded,
    Evidence,
    ids,
)
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BlockCause, Result, UnblockCause
from services.classifier.domain.retry import RetryPolicy

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = RetryPolicy((5 * MINUTE, 30 * MINUTE, 120 * MINUTE), {"greylisted": (1 * MINUTE, 2 * MINUTE)}, jitter=0.0)

EVIDENCE = {
    "full": Evidence(reply_code=452, status="4.2.2", diagnostic="452 4.2.2 mailbox full"),
    "grey": Evidence(reply_code=450, status="4.2.0", diagnostic="450 4.2.0 greylisted, try again in 300 seconds"),
    "dead": Evidence(reply_code=550, status="5.1.1", diagnostic="550 5.1.1 user unknown"),
}
REASONS = {"full": "mailbox_full", "grey": "greylisted", "dead": "user_unknown"}


@dataclass(frozen=True)
class Input:
    """One thing that happened to a recipient, `minute` minutes after the start."""

    what: str
    address: int
    minute: int
    mailing: str = "m1"
    number: int = 0
    """Tells two alike apart."""


@dataclass(frozen=True)
class Expected:
    """A row of the table of retries."""

    state: str
    attempt: int
    due: datetime | None
    reason: str
    times: tuple[datetime, ...]


def inputs(*whats: str, addresses: int = 2, minutes: int = 5) -> st.SearchStrategy[Input]:
    """Return a strategy for inputs, with few recipients and moments, so that they meet."""
    mailing = st.sampled_from(["m1", "m2"])
    return st.builds(
        Input,
        st.sampled_from(whats),
        st.integers(0, addresses - 1),
        st.integers(0, minutes),
        mailing,
        st.integers(0, 1),
    )


def address(n: int) -> str:
    return f"U{n}@example.com"


def moment(minute: int) -> datetime:
    return START + minute * MINUTE


def version(given: Input) -> int:
    """Versions of an address are distinct, and later changes have higher ones."""
    return 1 + given.minute * 4 + given.number * 2 + (given.what == "unblock")


def message(given: Input, tenant: str = "acme", **changes: Any) -> Event[Any]:
    """Return the event that says it."""
    at = moment(given.minute)
    who: dict[str, Any] = {"address": address(given.address), "time": at}
    data: Any
    if given.what in EVIDENCE:
        data = BounceReceived(
            **who, mailing=given.mailing, sender=changes.pop("sender", "news"), evidence=EVIDENCE[given.what]
        )
    elif given.what == "delivered":
        data = DeliveryRecorded(**who, mailing=given.mailing, result=Result.DELIVERED, sender="news")
    elif given.what == "block":
        data = AddressBlocked(**who, version=version(given), cause=BlockCause.MANUAL, return_count=0, by="ann")
    elif given.what == "unblock":
        data = AddressUnblocked(**who, version=version(given), cause=UnblockCause.CLEARED, by="ann")
    else:
        data = AddressErased(**who, by="ann")
    data = data.model_copy(update=changes)
    return event(
        data,
        id=ids.of_content(tenant, repr(given), repr(changes)),
        source="/test",
        tenant=tenant,
        subject=given.mailing,
    )


def expected(seen: Iterable[Input], policy: RetryPolicy = POLICY) -> Expected | None:
    """Return the row of one recipient of one mailing, before anything is due."""
    seen = set(seen)
    soft = [i for i in seen if i.what in ("full", "grey")]
    if not soft:
        return None
    # Of two at one moment the one with the greater id decides: any order, as long as it is always the same.
    newest = max(soft, key=lambda i: (i.minute, message(i).id))
    times = tuple(sorted({moment(i.minute) for i in soft}))
    reason, number = REASONS[newest.what], len(times)
    delays = policy.delays_for(reason)
    if number > len(delays):
        return Expected("exhausted", number, None, reason, times)
    ended = max(((i.minute, i.what) for i in seen if i.what in ("dead", "delivered")), default=(-1, ""))
    if ended[0] >= newest.minute:
        return Expected("recovered" if ended[1] == "delivered" else "failed", number + 1, None, reason, times)
    last = max((version(i), i.what) for i in [*seen, Input("unblock", 0, -9)] if i.what in ("block", "unblock"))
    state = "dropped" if last[1] == "block" else "waiting"
    return Expected(state, number + 1, times[-1] + delays[number - 1], reason, times)
