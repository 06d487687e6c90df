"""From what a provider told to the events that the other services read. No I/O; the same input makes the same ids."""

from collections.abc import Iterator

from returpost.bounces.events.results import Derived, derive, id_of_input
from returpost.bounces.providers.normalized_result import NormalizedResult
from returpost.contracts import Result, ids


def events_of_normalized(found: NormalizedResult, *, tenant: str, sender: str | None) -> Iterator[Derived]:
    """Yield the result, and for a failed delivery the bounce with its evidence.

    An automatic reply or a challenge has a verdict, but is no result. `sender` is who sent, if the event tells nobody.
    """
    result = found.result
    if sender and not found.tells_sender:
        result = result.model_copy(update={"sender": sender})
    source = f"/webhooks/{found.provider}"
    identity = ids.of_input(tenant, source, id_of_input(result, tenant=tenant, id_=found.event_id, source=source))
    judged = found.kind is not None or result.result is Result.BOUNCED
    return derive(identity, result, found.evidence if judged else None, is_result=found.kind is None)
