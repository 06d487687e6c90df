"""What is published of mailings that are breached, paused and resumed."""

from datetime import datetime

from returpost.contracts import MailingBreached, MailingPause, MailingResume, SettingsChanged, ids
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import BreachKind
from services.actions.events import new_event
from services.actions.mailings.stop_signals.domain import Breach
from services.actions.mailings.stop_signals.repository.pauses import Turned
from services.actions.mailings.stop_signals.thresholds import StopSignals, differences


def breached(breach: Breach, tenant: str, mailing: str, sender: str) -> Event[MailingBreached]:
    """Return the event of a breach: the same for the same mailing, kind and level."""
    data = MailingBreached(
        mailing=mailing, sender=sender, kind=breach.kind, level=breach.level, count=breach.count,
        of_results=breach.of_results, threshold=breach.threshold, time=breach.time, scope=breach.scope,
    )  # fmt: skip
    identity = ids.of_content(data.TYPE, tenant, mailing, breach.kind, breach.level)
    return new_event(data, id=identity, tenant=tenant, subject=mailing)


def pause(turned: Turned, tenant: str, mailing: str, by: str, why: str, kind: BreachKind | None) -> Event[MailingPause]:
    """Return the command that pauses a mailing."""
    data = MailingPause(mailing=mailing, sender=turned.sender, time=turned.time, by=by, why=why, kind=kind)
    return new_event(data, id=_id(data.TYPE, tenant, mailing, turned.time), tenant=tenant, subject=mailing)


def resume(turned: Turned, tenant: str, mailing: str, by: str, why: str) -> Event[MailingResume]:
    """Return the command that resumes a mailing."""
    data = MailingResume(mailing=mailing, sender=turned.sender, time=turned.time, by=by, why=why)
    return new_event(data, id=_id(data.TYPE, tenant, mailing, turned.time), tenant=tenant, subject=mailing)


def settings_changed(
    before: StopSignals, after: StopSignals, tenant: str, version: int, by: str, now: datetime
) -> list[Event[SettingsChanged]]:
    """Return an event for each threshold that changed."""
    return [
        new_event(
            SettingsChanged(name=name, old=old, new=new, time=now, by=by),
            id=ids.of_content("stop signals", tenant, version, name),
            tenant=tenant,
        )
        for name, old, new in differences(before, after)
    ]


def _id(type_: str, tenant: str, mailing: str, time: datetime) -> str:
    return ids.of_content(type_, tenant, mailing, time.isoformat())
