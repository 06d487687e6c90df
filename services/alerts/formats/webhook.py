"""A message to a webhook: a JSON array of CloudEvents, one an alert, as the webhooks of blocks have them."""

from collections.abc import Sequence
from datetime import datetime

from returpost.contracts import AlertRaised, AlertTested
from returpost.contracts.cloudevents import encode_event
from services.alerts.domain.wording import Paragraph
from shared.messaging.envelope import source_of

SOURCE = source_of("alerts")


def raised(paragraphs: Sequence[Paragraph]) -> bytes:
    """Return the alerts as events; each has the id of its cause."""
    events = []
    for one in paragraphs:
        alert = one.alert
        data = AlertRaised(
            alert=alert.id,
            kind=alert.kind,
            severity=alert.severity,
            title=one.title,
            text=one.text,
            link=one.link,
            command=one.command,
            facts=alert.facts,
            time=alert.time,
        )
        events.append(encode_event(data, id=alert.id, source=SOURCE, tenant=alert.tenant).body)
    return b"[" + b",".join(events) + b"]"


def trial(channel: str, id_: str, tenant: str, by: str, time: datetime) -> bytes:
    """Return the event that only tries out a channel."""
    data = AlertTested(channel=channel, time=time, by=by)
    return b"[" + encode_event(data, id=id_, source=SOURCE, tenant=tenant).body + b"]"
