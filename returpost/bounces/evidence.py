"""From a sender's or a provider's result to the evidence that a verdict is made of."""

from returpost.bounces.smtp_reply import codes_of
from returpost.contracts import DeliveryResult, Evidence, Kind, construct_trusted


def evidence_of(
    result: DeliveryResult,
    *,
    kind: Kind = Kind.FAILURE,
    provider: str | None = None,
    provider_codes: tuple[str, ...] = (),
    suppressed: bool = False,
) -> Evidence:
    """Return what a result tells; code and status are taken from the text when it names none."""
    code, status = result.reply_code, result.status
    if code is None or status is None:
        code_said, status_said = codes_of(result.diagnostic)
        code, status = code or code_said, status or status_said
    return construct_trusted(
        Evidence,
        kind=kind,
        reply_code=code,
        status=status,
        diagnostic=result.diagnostic,
        remote_mta=result.remote_mta,
        reporting_mta=None,
        format=provider or "smtp",
        feedback_type=result.feedback_type,
        original_recipient=None,
        final_recipient=None,
        command=None,
        recipient_source=None,
        provider=provider,
        provider_codes=provider_codes,
        suppressed=suppressed,
    )
