"""Tells the blocklist which addresses belong to former employees alone, however it came to be: mailings skip them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from returpost.contracts import SuppressionLift, SuppressionSet, ids
from returpost.contracts.addresses import key
from returpost.contracts.enums import BlockCause
from services.actions.contacts.domain import Contact, ContactKey
from services.actions.events import new_event
from shared.erased_addresses import AddressKey
from shared.messaging.unit_of_work import UnitOfWork

COMMAND_ADDRESSES = 10_000


def touched_by(before: dict[ContactKey, Contact], after: dict[ContactKey, Contact]) -> set[AddressKey]:
    """Return the addresses of which it may have changed whether all their owners have left."""
    touched: set[AddressKey] = set()
    for place, contact in after.items():
        was = before[place]
        if (was.former_employee, was.addresses) != (contact.former_employee, contact.addresses):
            touched.update((place[0], key(address)) for address in (*was.addresses, *contact.addresses))
    return touched


def tell_former(
    work: UnitOfWork,
    changes: Sequence[tuple[str, str, bool]],
    cause: str,
    by: str,
    note: str = "",
    operation: str | None = None,
) -> str | None:
    """Command that addresses be skipped, or no longer; `cause` is the id of what changed them.

    The time is that of the change, which others of the same address wait for: of two the later one has the last word.
    Returns the id of the last command, if there was any.
    """
    now, last = datetime.now(UTC), None
    for (tenant, former), addresses in _grouped(changes):
        command = SuppressionSet if former else SuppressionLift
        for number, start in enumerate(range(0, len(addresses), COMMAND_ADDRESSES)):
            data = command(
                addresses=addresses[start : start + COMMAND_ADDRESSES], cause=BlockCause.FORMER_EMPLOYEE, time=now,
                by=by, note=note, operation=operation,
            )  # fmt: skip
            last = ids.derived(f"{cause} {tenant}", data.TYPE, number)
            work.command(new_event(data, id=last, tenant=tenant, subject=operation))
    return last


def _grouped(changes: Iterable[tuple[str, str, bool]]) -> Iterable[tuple[tuple[str, bool], list[str]]]:
    ordered = sorted(changes, key=lambda each: (each[0], each[2], each[1]))
    for whose, those in groupby(ordered, key=lambda each: (each[0], each[2])):
        yield whose, [address for _, address, _ in those]
