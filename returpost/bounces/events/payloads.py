"""From what a provider told to the events that the other services read. No I/O; the same input makes the same ids."""

from collections.abc import Iterator

from returpost.bounces.events.results import evidence_of, id_of_input, received, recorded
from returpost.bounces.providers.normalized_result import NormalizedResult
from returpost.contracts import Kind, Result, ids
from returpost.contracts.cloudevents import EncodedEvent


def events_of_normalized(
    found: NormalizedResult, *, tenant: str, provider: str, sender: str | None
) -> Iterator[EncodedEvent]:
    """Yield the result, and for a failed delivery the bounce with its evidence, whose format is the provider's name.

    An automatic reply or a challenge has a verdict, but is no result. `sender` is who sent, if the event tells nobody.
    """
    result = found.result
    if sender and not found.tells_sender:
        result = result.model_copy(update={"sender": sender})
    source = f"/webhooks/{provider}"
    identity = ids.of_input(tenant, source, id_of_input(result, tenant=tenant, id_=found.event_id, source=source))
    if found.kind is None:
        yield recorded(identity, tenant, result)
    if found.kind is not None or result.result is Result.BOUNCED:
        more = {"format": provider, "kind": found.kind or Kind.FAILURE}
        yield received(identity, tenant, result, evidence_of(result).model_copy(update=more))
