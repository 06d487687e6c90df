"""Complaints of readers, as providers send them on: RFC 5965 (ARF), RFC 6591 (authentication failures), RFC 6650."""

import re
from collections.abc import Mapping

from returpost.bounces.mime import tree
from returpost.bounces.mime.addresses import address, clean
from returpost.bounces.notices import original_message
from returpost.bounces.notices.notice import Notice
from returpost.bounces.reports.report import MAX_RECIPIENTS, Finding
from returpost.contracts.enums import Kind, RecipientSource

_ADDRESS_FIELDS = ("original-rcpt-to", "removal-recipient", "redacted-address", "original-recipient")
_OUTLOOK = "x-hmxmroriginalrecipient"
_STAFF = re.compile(r"(?:staff|jmrp\w{0,20})@(?:[\w-]{1,63}\.)?(?:hotmail|live|outlook|msn)\.com\Z")
_COMPLAINT_SUBJECT = re.compile(r"(?i)\W{0,9}complaint about message\b")
_KINDS = {
    "opt-out": Kind.UNSUBSCRIBE,
    "opt-out-list": Kind.UNSUBSCRIBE,
    # The reader took it out of the spam folder: the mail was delivered, and is wanted.
    "not-spam": Kind.DELIVERED,
}


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
            source=RecipientSource.FINAL_RECIPIENT if named else RecipientSource.RETURNED_MESSAGE,
            diagnostic=clean(prose, 500),
            reporting_mta=fields.get("reporting-mta", ("",))[0].rpartition(";")[2].strip() or None,
            feedback_type=type_,
        )
        for recipient in recipients[:MAX_RECIPIENTS]
    ]


def of_outlook(notice: Notice) -> list[Finding]:
    """Return the complaint of a reader of Outlook or, once, Hotmail (JMRP): the message, with who complained in a
    header of its own, or else in To."""
    root = notice.root
    for part in root.walk():
        if part.content_type in original_message.MESSAGE_TYPES:
            values = (
                *root.headers.get(_OUTLOOK, ()),
                *part.headers.get(_OUTLOOK, ()),
                *part.message_headers.get(_OUTLOOK, ()),
            )
            named = list(dict.fromkeys(found for value in values if (found := address(value))))
            if named:
                return [_complaint(name, RecipientSource.FINAL_RECIPIENT) for name in named]
            break
    if not (_STAFF.match(notice.author) and _COMPLAINT_SUBJECT.match(notice.subject)):
        return []
    headers = notice.original or original_message.flat(tree.headers(notice.text))
    if name := address(headers.get(_OUTLOOK, "")):
        return [_complaint(name, RecipientSource.FINAL_RECIPIENT)]
    mailed = (name for name in original_message.recipients_of(headers) if name.lower() not in notice.senders)
    return [_complaint(name, RecipientSource.RETURNED_MESSAGE) for name in list(dict.fromkeys(mailed))[:1]]


def _complaint(name: str, source: RecipientSource) -> Finding:
    return Finding(kind=Kind.COMPLAINT, final=name, source=source, feedback_type="abuse")


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
