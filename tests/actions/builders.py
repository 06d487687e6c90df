"""What the services before, CRMs and operators would say, and what is heard of actions."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BlockApplied,
    BlockCleared,
    BounceClassified,
    ContactUpsert,
    Contract,
    DeliveryRecorded,
    ListUpsert,
    MailingUpsert,
    OperationRequested,
    ProjectUpsert,
    SelectionUpsert,
    StormEnded,
    StormStarted,
    Verdict,
    ids,
)
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BlockCause, Fault, Operation, Reason, Result, UnblockCause, VerdictType
from services.actions.contacts.handlers import upsert_contacts
from services.actions.contacts.lists.handlers import upsert_lists
from services.actions.mailings.handlers import (
    erase_addresses,
    record_blocks,
    record_results,
    record_verdicts,
    upsert_mailings,
)
from services.actions.mailings.stop_signals.evaluation import record_storms
from services.actions.operations.handlers import request_operations, settle_applied, settle_cleared
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWork
from tests.support.harness import TENANT, Harness, eventually

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

HANDLERS: dict[type[Contract], Any] = {
    DeliveryRecorded: record_results,
    BounceClassified: record_verdicts,
    AddressBlocked: record_blocks,
    AddressUnblocked: record_blocks,
    AddressErased: erase_addresses,
    ContactUpsert: upsert_contacts,
    OperationRequested: partial(request_operations, tolerance=timedelta(minutes=15), grace=timedelta(0)),
    BlockApplied: settle_applied,
    BlockCleared: settle_cleared,
    SelectionUpsert: upsert_lists,
    ProjectUpsert: upsert_lists,
    MailingUpsert: upsert_mailings,
    StormStarted: record_storms,
    StormEnded: record_storms,
}


def moment(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def address(n: int) -> str:
    return f"U{n}@example.com"


def wrap(data: Contract, *, tenant: str = TENANT, id: str | None = None) -> Event[Any]:
    """Return the event; the same data are the same event."""
    return event(data, id=id or ids.of_content(tenant, repr(data)), source="/test", tenant=tenant, subject="s")


def result(what: str, n: int, minute: int, mailing: str = "m1", *, tenant: str = TENANT) -> Event[Any]:
    data = DeliveryRecorded(
        mailing=mailing, address=address(n), result=Result(what), time=moment(minute), sender="default"
    )
    return wrap(data, tenant=tenant)


def verdict(
    what: str,
    n: int,
    minute: int,
    mailing: str = "m1",
    *,
    tenant: str = TENANT,
    written: str | None = None,
    **more: Any,
) -> Event[Any]:
    """Return a verdict: hard, soft, exhausted or none."""
    reasons = {"hard": Reason.USER_UNKNOWN, "soft": Reason.MAILBOX_FULL, "exhausted": Reason.GREYLISTED}
    type_ = VerdictType.SOFT if what in ("soft", "exhausted") else VerdictType(what)
    judged = Verdict(
        type=type_, reason=reasons.get(what, Reason.AUTO_REPLY), fault=Fault.RECIPIENT, confidence=0.9,
        dead_address=what == "hard", rule="test.rule",
    )  # fmt: skip
    data = BounceClassified(
        mailing=mailing, address=written or address(n), time=moment(minute), sender="default", verdict=judged,
        attempt=1, exhausted=what == "exhausted", **more,
    )  # fmt: skip
    return wrap(data, tenant=tenant)


def blocked(n: int, version: int, minute: int = 0, *, tenant: str = TENANT) -> Event[Any]:
    data = AddressBlocked(
        address=address(n), version=version, cause=BlockCause.DEAD_ADDRESS, reason=Reason.USER_UNKNOWN,
        return_count=1, time=moment(minute), by="/returpost/blocklist",
    )  # fmt: skip
    return wrap(data, tenant=tenant)


def unblocked(
    n: int, version: int, minute: int = 0, cause: UnblockCause = UnblockCause.CLEARED, *, tenant: str = TENANT
) -> Event[Any]:
    data = AddressUnblocked(address=address(n), version=version, cause=cause, time=moment(minute), by="ann")
    return wrap(data, tenant=tenant)


def erased(n: int, minute: int, *, tenant: str = TENANT) -> Event[Any]:
    return wrap(AddressErased(address=address(n), time=moment(minute), by="ann"), tenant=tenant)


def contact_upsert(contact: str, minute: int, *, tenant: str = TENANT, **values: Any) -> Event[Any]:
    return wrap(ContactUpsert(contact=contact, time=moment(minute), **values), tenant=tenant)


def selection(identity: str, minute: int, /, *, tenant: str = TENANT, **values: Any) -> Event[Any]:
    return wrap(SelectionUpsert(selection=identity, time=moment(minute), **values), tenant=tenant)


def mailing(identity: str, minute: int, /, *, tenant: str = TENANT, **values: Any) -> Event[Any]:
    return wrap(MailingUpsert(mailing=identity, time=moment(minute), **values), tenant=tenant)


def request(identity: str, addresses: Sequence[str] = (), *, tenant: str = TENANT, **values: Any) -> Event[Any]:
    data = OperationRequested.model_validate(
        {"operation": Operation.CLEAR_BOUNCE_FLAG, "addresses": addresses, "by": "ann", "time": moment(0)} | values
    )
    return wrap(data, tenant=tenant, id=identity)


def cleared(command: dict[str, Any], *, tenant: str = TENANT) -> Event[Any]:
    """Return what the blocklist answers to a command."""
    data = command["data"]
    answer = BlockCleared(
        addresses=data["addresses"], time=data["time"], by=data["by"], operation=data.get("operation")
    )
    return wrap(answer, tenant=tenant, id=ids.derived(command["id"], BlockCleared.TYPE))


async def publish_events(harness: Harness, *events: Event[Any]) -> None:
    """Publish each as the services and people before would."""
    for one in events:
        if isinstance(one.data, ContactUpsert | OperationRequested | ListUpsert | MailingUpsert):
            await harness.command(one)
        elif isinstance(one.data, DeliveryRecorded):
            await harness.send(one, detail=one.data.result)
        else:
            await harness.send(one)


async def apply(pool: Pool, *batch: Event[Any]) -> list[Event[Any]]:
    """Handle events of one type in one transaction, as the consumer would; return what they publish."""
    async with pool.acquire() as connection, connection.transaction():
        work = UnitOfWork(connection)
        await HANDLERS[type(batch[0].data)](batch, work)
        assert not work.refused
        return [outgoing.event for outgoing in work.outgoing]


async def receive_events(harness: Harness, queue: str, number: int) -> list[dict[str, Any]]:
    """Take events from a queue until there are so many; no more may come with them."""
    found: list[dict[str, Any]] = []

    async def look() -> int:
        found.extend(await harness.take_events(queue))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    assert len(found) == number
    return found


async def spy_queue(harness: Harness, *patterns: str) -> str:
    """Return the name of a new queue that gets a copy of the events whose routing keys match."""
    queue = await harness.channel.declare_queue(exclusive=True)
    for pattern in patterns:
        await queue.bind("returpost.events", pattern)
    return queue.name


async def wait_for_lock(pool: Pool, number: int = 1) -> None:
    """Wait until so many transactions wait for another's lock."""
    await eventually(
        lambda: pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ),
        lambda seen: seen == number,
    )


def apply_in_background(pool: Pool, *batch: Event[Any]) -> "asyncio.Task[list[Event[Any]]]":
    """Begin to handle a batch at the same time as others."""
    return asyncio.create_task(apply(pool, *batch))


async def rows_to_view(pool: Pool) -> None:
    """Write what views are held against: 14 recipients of m1 and one of m2; some returned, blocked or somebody's."""
    await apply(pool, *(result("sent", n, n % 3) for n in range(12)))
    await apply(pool, *(result("opened", n, 9) for n in (4, 5)), result("complained", 6, 9))
    await apply(pool, *(verdict("hard" if n % 2 else "soft", n, 10 + n % 2, reply_code=550) for n in range(4)))
    await apply(pool, verdict("hard", 1, 20, "m2"))
    await apply(pool, mailing("m1", 0, recipients=["ready@example.com", "skipped@other.example"]))
    await apply(
        pool, *(contact_upsert(f"c{n}", 1, name=f"N{n % 4}", company="X AS", addresses=[address(n)]) for n in range(6))
    )
    skipped = blocked(0, 1).data.model_copy(update={"address": "skipped@other.example"})
    await apply(pool, blocked(1, 1), blocked(3, 2), blocked(0, 1).model_copy(update={"data": skipped}))
