"""What the classifier publishes: verdicts, retry commands, changed settings."""

import json
from datetime import datetime

from returpost.contracts import (
    BounceClassified,
    BounceReceived,
    Reason,
    RetryRequested,
    SettingsChanged,
    Verdict,
    construct_trusted,
    ids,
)
from returpost.contracts.cloudevents import Event
from services.classifier.domain.retry import Exhausted, Retry
from services.classifier.domain.schedules import RetrySchedule
from services.classifier.repository.dispatch import DueRetry
from shared.messaging.envelope import event_factory, source_of

SERVICE = "classifier"

new_event = event_factory(SERVICE)


def bounce_classified(
    bounce: Event[BounceReceived], verdict: Verdict, *, attempt: int, decision: Retry | Exhausted | None = None
) -> Event[BounceClassified]:
    """Return the verdict on a bounce; `attempt` is the number of soft bounces so far, `decision` what follows."""
    data, evidence = bounce.data, bounce.data.evidence
    classified = construct_trusted(
        BounceClassified,
        mailing=data.mailing,
        address=data.address,
        time=decision.time if isinstance(decision, Exhausted) else data.time,
        sender=data.sender,
        verdict=verdict,
        attempt=attempt,
        exhausted=isinstance(decision, Exhausted),
        retry_at=decision.due if isinstance(decision, Retry) else None,
        reply_code=evidence.reply_code,
        status=evidence.status,
        diagnostic=evidence.diagnostic,
        remote_mta=evidence.remote_mta,
        original_recipient=evidence.original_recipient,
        stream=data.stream,
        sending_ip=data.sending_ip,
    )
    return new_event(
        classified, id=ids.derived(bounce.id, BounceClassified.TYPE), tenant=bounce.tenant, subject=data.mailing
    )


def retry_requested(retry: DueRetry) -> Event[RetryRequested]:
    """Return the command that asks a sender for the next attempt."""
    data = construct_trusted(
        RetryRequested,
        mailing=retry.mailing,
        address=retry.address,
        sender=retry.sender,
        attempt=retry.attempt,
        due=retry.due,
        reason=Reason(retry.reason),
        contact=retry.contact,
    )
    identity = ids.derived(retry.recipient.hex(), RetryRequested.TYPE, retry.attempt)
    return new_event(data, id=identity, tenant=retry.tenant, subject=retry.mailing)


def settings_changed(
    before: RetrySchedule, after: RetrySchedule, tenant: str, version: int, by: str, now: datetime
) -> list[Event[SettingsChanged]]:
    """Return an event for each value of a schedule that changed."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return [
        new_event(
            SettingsChanged(
                name=f"retry.{name}", old=json.dumps(old[name]), new=json.dumps(new[name]), time=now, by=by
            ),
            id=ids.of_content(source_of(SERVICE), tenant, str(version), name),
            tenant=tenant,
        )
        for name in new
        if old[name] != new[name]
    ]
