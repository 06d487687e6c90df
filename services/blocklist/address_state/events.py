"""The events of the blocklist: their envelope, and what tells that an address is blocked or free."""

from datetime import datetime
from typing import TypeVar

from returpost.contracts import AddressBlocked, AddressUnblocked, construct_trusted, ids
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.domain import AddressState
from services.blocklist.address_state.records import AddressRecord, Key, LogEntry, Trigger
from shared.messaging.envelope import event_factory, source_of

N = TypeVar("N", AddressBlocked, AddressUnblocked)

SOURCE = source_of("blocklist")
new_event = event_factory("blocklist")


def blocked_or_unblocked_event(
    key: Key, record: AddressRecord, state: AddressState, version: int, trigger: Trigger, lift: UnblockCause
) -> Event[AddressBlocked] | Event[AddressUnblocked]:
    """Return the event that tells what became of an address; `lift` is why it is free if it is."""
    if state.block is None:
        return unblocked_event(key, version, trigger, lift)
    block = state.block
    by, note = record.author(block.cause) or (SOURCE, "")
    data = AddressBlocked.model_construct(
        address=key[1],
        version=version,
        cause=block.cause,
        reason=block.reason,
        return_count=state.return_count,
        mailing=block.mailing,
        time=block.since,
        by=by,
        note=note,
        until=block.until,
        exempt_streams=list(block.exempt_streams),
        streams=list(block.streams),
        causes=block.causes,
    )
    return _event(data, key, version, trigger, block.mailing or trigger.subject)


def unblocked_event(key: Key, version: int, trigger: Trigger, cause: UnblockCause) -> Event[AddressUnblocked]:
    """Return the event that tells that a block is lifted."""
    data = construct_trusted(
        AddressUnblocked,
        address=key[1],
        version=version,
        cause=cause,
        time=trigger.time,
        by=trigger.by,
        note=trigger.note,
    )
    return _event(data, key, version, trigger, trigger.subject)


def log_entry(
    key: Key,
    record: AddressRecord,
    state: AddressState,
    version: int,
    trigger: Trigger,
    lift: UnblockCause,
    now: datetime,
) -> LogEntry:
    """Return what the log keeps of the same."""
    block = state.block
    if block is None:
        return LogEntry(*key, version, now, False, lift, None, trigger.subject, None, trigger.by, trigger.note)
    by, note = record.author(block.cause) or (trigger.by, trigger.note)
    subject = block.mailing or trigger.subject
    return LogEntry(*key, version, now, True, block.cause, block.reason, subject, block.until, by, note)


def _event(data: N, key: Key, version: int, trigger: Trigger, subject: str | None) -> Event[N]:
    # One command concerns many addresses, and settings that change to and fro concern an address more than once.
    identity = ids.derived(trigger.id, f"{data.TYPE} {key[1]}", version)
    return new_event(data, id=identity, tenant=key[0], subject=subject)
