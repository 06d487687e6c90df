"""Handlers: what happened becomes an alert, once a cause, for each channel that wants it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import PLATFORM
from services.alerts.domain.alert import alert_of
from services.alerts.repository import alerts as alert_rows, channels as channel_rows
from shared.messaging.unit_of_work import UnitOfWork


async def raise_alerts(
    events: Sequence[Event[Any]],
    work: UnitOfWork,
    *,
    clock: Callable[[], datetime],
    show_addresses: bool,
    raised: Callable[[], None],
) -> None:
    """Keep an alert for each cause that is new, and note to which channels it goes, and when."""
    now = clock()
    told = (alert_of(event, show_addresses=show_addresses) for event in events)
    new = await alert_rows.raise_new(work.connection, [alert for alert in told if alert is not None], now)
    if not new:
        return
    known = await channel_rows.enabled(work.connection, {PLATFORM, *(alert.tenant for alert in new)})
    rows = [
        (channel.id, alert.id, channel.due(alert, now)) for alert in new for channel in known if channel.wants(alert)
    ]
    await alert_rows.assign(work.connection, rows)
    work.after_commit(raised)
