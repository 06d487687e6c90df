"""Complaints of readers, as providers send them on: RFC 5965 (ARF), RFC 6591 (authentication failures), RFC 6650."""

from collections.abc import Mapping

from returpost.bounces.mime import tree
from returpost.bounces.mime.addresses import address, clean
from returpost.bounces.notices import original_message
from returpost.bounces.reports.report import MAX_RECIPIENTS, Finding
from returpost.contracts.enums import Kind

TYPE = "message/feedback-report"

_ADDRESS_FIELDS = ("original-rcpt-to", "removal-recipient", "redacted-address", "original-recipient")
_OUTLOOK = "x-hmxmroriginalrecipient"
_KINDS = {
    "opt-out": Kind.UNSUBSCRIBE,
    "opt-out-list": Kind.UNSUBSCRIBE,
    # The reader took it out of the spam folder: the mail was delivered, and is wanted.
    "not-spam": Kind.DELIVERED,
}


def part_of(root: tree.Part) -> tree.Part | None:
    """Return the part with the machine-readable report."""
    return next((part for part in root.walk() if part.content_type == TYPE), None)


def findings(part: tree.Part, original: Mapping[str, str], prose: str) -> list[Finding]:
    """Return one finding for each recipient that the report names, or else that the returned message was for."""
    fields = _fields(part)
    type_ = fields.get("feedback-type", ("",))[0].strip().lower()
    kind = _kind(fields)
    if kind is None:
        return []
    named = [found for name in _ADDRESS_FIELDS for value in fields.get(name, ()) if (found := _readable(value))]
    fallback = next((name for name in original_message.recipients_of(original) if _readable(name)), None)
    recipients = list(dict.fromkeys(named or ([fallback] if fallback else [])))
    return [
        Finding(
            kind=kind,
            final=recipient,
            diagnostic=clean(prose, 500),
            reporting_mta=fields.get("reporting-mta", ("",))[0].rpartition(";")[2].strip() or None,
            feedback_type=type_,
        )
        for recipient in recipients[:MAX_RECIPIENTS]
    ]


def of_outlook(root: tree.Part) -> list[Finding]:
    """Return the complaint of a reader of Outlook (JMRP): the message, with who complained in a header of its own."""
    for part in root.walk():
        if part.content_type in original_message.MESSAGE_TYPES:
            values = (
                *root.headers.get(_OUTLOOK, ()),
                *part.headers.get(_OUTLOOK, ()),
                *part.message_headers.get(_OUTLOOK, ()),
            )
            named = list(dict.fromkeys(found for value in values if (found := address(value))))
            return [Finding(kind=Kind.COMPLAINT, final=name, feedback_type="abuse") for name in named]
    return []


def _readable(value: str) -> str | None:
    """Return the address unless the provider has blacked it out."""
    found = address(value)
    return None if found and found.lower().startswith(("redacted@", "undisclosed@", "hidden@")) else found


def kind_of(part: tree.Part) -> Kind | None:
    """Return what the report is, whether it names a recipient or not."""
    return _kind(_fields(part))


def _fields(part: tree.Part) -> tree.Headers:
    return tree.headers(part.text.replace("\n\n", "\n").lstrip("\n"))


def _kind(fields: tree.Headers) -> Kind | None:
    type_ = fields.get("feedback-type", ("",))[0].strip().lower()
    if type_ == "auth-failure":
        # No reader complained; it tells of a recipient only when the message was turned away (RFC 6591 section 3.2.2).
        return Kind.FAILURE if fields.get("delivery-result", ("",))[0].strip().lower() == "reject" else None
    return _KINDS.get(type_, Kind.COMPLAINT)
