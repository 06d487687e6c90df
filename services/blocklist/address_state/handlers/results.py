"""What became of mailings: deliveries, complaints and bounces. The handlers of results and verdicts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from asyncpg.pgproto import pgproto

from returpost.contracts import BounceClassified, DeliveryRecorded, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import Fault, Reason, Result, UnblockCause, VerdictType
from services.blocklist.address_state import repository
from services.blocklist.address_state.erasures import repository as erasures
from services.blocklist.address_state.reevaluate import Trigger, reassess
from services.blocklist.address_state.repository import Key, Line
from services.blocklist.storms.storm_window import Watch
from services.blocklist.tenant_settings.domain import may_block
from shared.messaging.unit_of_work import UnitOfWork

MAX_TEXT = 500
"""Characters of the text that decided a verdict which the history keeps."""


async def take_results(
    events: Sequence[Event[DeliveryRecorded]],
    work: UnitOfWork,
    clock: Callable[[], datetime],
    watch: Watch | None = None,
) -> None:
    """Note deliveries, which lift blocks by return count, and complaints, which block."""
    events = await erasures.living(work.connection, events)
    delivered: dict[Key, datetime | None] = {}
    last: dict[Key, Event[DeliveryRecorded]] = {}
    complaints: list[Line] = []
    for item in events:
        data = item.data
        place = (item.tenant, key(data.address))
        if data.result is Result.DELIVERED:
            if place not in last or last[place].data.time < data.time:
                delivered[place] = data.time
                last[place] = item
        elif data.result is Result.COMPLAINED:
            delivered.setdefault(place)
            complaints.append(_complaint(item, place))
    reduced = await repository.touch(work.connection, delivered)
    again = {place: _trigger(last[place]) for place in reduced}
    if complaints:
        await repository.record(work.connection, complaints)
        again |= {(line.tenant, line.address): _trigger_of(line) for line in complaints}
    if again:
        await reassess(work, again, UnblockCause.DELIVERED, clock())
    if watch:
        watch.delivered((*place, one.data.sending_ip, one.data.time) for place, one in last.items())


async def take_verdicts(
    events: Sequence[Event[BounceClassified]],
    work: UnitOfWork,
    clock: Callable[[], datetime],
    watch: Watch | None = None,
) -> None:
    """Note the bounces that ended hard and the complaints, and block whom they block; no other verdict counts."""
    counting = [item for item in events if _counts(item.data)]
    lines = [_bounce(item) for item in await erasures.living(work.connection, counting)] if counting else []
    if not lines:
        return
    triggers = {(line.tenant, line.address): _trigger_of(line) for line in lines}
    await repository.touch(work.connection, dict.fromkeys(triggers))
    new = await repository.record(work.connection, lines)
    await reassess(work, triggers, UnblockCause.SETTINGS, clock())
    if watch:
        for line in lines:
            if line.id in new:
                watch.bounced(line.tenant, line.address, line.reason, line.ip, line.time)


def _trigger(delivery: Event[DeliveryRecorded]) -> Trigger:
    return Trigger(delivery.id, delivery.data.time, subject=delivery.data.mailing)


def _trigger_of(line: Line) -> Trigger:
    return Trigger(str(line.id), line.time, subject=line.mailing)


def _counts(data: BounceClassified) -> bool:
    verdict = data.verdict
    return data.exhausted or verdict.type is VerdictType.HARD or verdict.reason is Reason.COMPLAINT


def _bounce(item: Event[BounceClassified]) -> Line:
    data, verdict = item.data, item.data.verdict
    return Line(
        item.tenant,
        key(data.address),
        _uuid(item.id),
        data.time,
        may_block(verdict.type, verdict.reason, verdict.fault, dead_address=verdict.dead_address),
        data.mailing,
        verdict.reason,
        verdict.fault,
        verdict.rule,
        data.status,
        (verdict.text or data.diagnostic)[:MAX_TEXT],
        data.stream,
        data.sending_ip,
    )


def _complaint(item: Event[DeliveryRecorded], place: Key) -> Line:
    data = item.data
    identity = _uuid(item.id)
    tenant, address = place
    return Line(
        tenant,
        address,
        identity,
        data.time,
        False,
        data.mailing,
        Reason.COMPLAINT,
        Fault.NONE,
        "",
        None,
        "",
        data.stream,
        data.sending_ip,
    )


def _uuid(text: str) -> UUID:
    # asyncpg's own, which is one of Python's and read in a tenth of the time
    try:
        return pgproto.UUID(text)
    except ValueError:
        return pgproto.UUID(ids.derived(text, "history"))
