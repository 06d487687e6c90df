"""Mailings are paused and resumed: the sender is told, and the audit says who did it and why."""

from datetime import datetime

from returpost.contracts.enums import BreachKind
from services.actions.mailings.stop_signals import events
from services.actions.mailings.stop_signals.repository import pauses
from services.actions.operations.repository.audit import AuditEntry, add_audit
from shared.messaging.unit_of_work import UnitOfWork


async def pause(
    work: UnitOfWork, tenant: str, mailing: str, now: datetime, by: str, why: str, kind: BreachKind | None = None
) -> bool:
    """Pause a mailing; tell whether it was not paused. `kind` is the breach that does it, none for a person."""
    turned = await pauses.pause(work.connection, tenant, mailing, now, by, why, kind)
    if turned is not None:
        work.command(events.pause(turned, tenant, mailing, by, why, kind), turned.sender)
        await _audit(work, tenant, mailing, turned.time, by, "mailing_paused", why)
    return turned is not None


async def resume(work: UnitOfWork, tenant: str, mailing: str, now: datetime, by: str, why: str) -> bool:
    """Resume a mailing; tell whether it was paused."""
    turned = await pauses.resume(work.connection, tenant, mailing, now, by, why)
    if turned is not None:
        work.command(events.resume(turned, tenant, mailing, by, why), turned.sender)
        await _audit(work, tenant, mailing, turned.time, by, "mailing_resumed", why)
    return turned is not None


async def _audit(work: UnitOfWork, tenant: str, mailing: str, time: datetime, by: str, what: str, why: str) -> None:
    await add_audit(work.connection, AuditEntry(tenant, time, by, what, 1, why, target={"mailing": mailing}))
