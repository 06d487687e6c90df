"""Every kind of event of MailerSend, Mailtrap, Unisender Go, Lettermint, Scaleway and Cloudflare; Mailgun's forms.

The payloads are made after what the providers document (the addresses are in their modules).
"""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from returpost.bounces.providers import NormalizedResult, normalize
from returpost.bounces.rules import load
from returpost.bounces.verdict import classify
from returpost.contracts import Reason
from tests.ingest.webhooks.builders import ANN, EPOCH, TIME, outcomes

STAMP = "2026-03-01T10:00:00.000000Z"
Row = tuple[str, ...]


def mailersend(kind: str, **meta: Any) -> dict[str, Any]:
    data = {
        "id": "62fb66bef54a112e920b5493", "type": kind, "recipient": ANN, "message_id": "62fb66be", "meta": meta or [],
        "tags": ["mailing:spring"],
    }  # fmt: skip
    return {"type": f"activity.{kind}", "domain_id": "d", "created_at": STAMP, "webhook_id": "w", "data": data}


def mailersend_v1(kind: str, morph: dict[str, Any] | None = None) -> dict[str, Any]:
    email = {
        "object": "email", "id": "e", "from": "news@example.com", "tags": ["mailing:spring"], "status": "rejected",
        "message": {"object": "message", "id": "62fb66be"}, "recipient": {"object": "recipient", "email": ANN},
    }  # fmt: skip
    data = {"object": "activity", "id": "a", "type": kind, "created_at": STAMP, "email": email, "morph": morph}
    return {"type": f"activity.{kind}", "created_at": STAMP, "data": data}


def mailtrap(kind: str, **more: Any) -> dict[str, Any]:
    event = {
        "event": kind, "message_id": "m", "sending_stream": "bulk", "email": ANN, "timestamp": EPOCH, "event_id": kind,
        "category": "mailing:spring", "custom_variables": {},
    }  # fmt: skip
    return {"events": [event | more]}


def unisender(status: str, delivery: str = "", response: str = "") -> dict[str, Any]:
    data = {
        "job_id": "1a3Q2V-0000OZ-S0", "metadata": {"mailing": "spring"}, "email": ANN, "status": status,
        "event_time": "2026-03-01 10:00:00",
        "delivery_info": {"delivery_status": delivery, "destination_response": response},
    }  # fmt: skip
    event = {"event_name": "transactional_email_status", "event_data": data}
    return {"auth": "x" * 32, "events_by_user": [{"user_id": 456, "project_id": "p", "events": [event]}]}


def lettermint(kind: str, **more: Any) -> dict[str, Any]:
    data = {"message_id": "m", "recipient": ANN, "metadata": {"mailing": "spring"}, "tag": None}
    return {"id": kind, "event": kind, "timestamp": STAMP, "data": data | more}


def scaleway(kind: str, code: int = 0, message: str = "") -> dict[str, Any]:
    return {
        "id": kind, "type": kind, "organization_id": "o", "project_id": "p", "domain_name": "example.com",
        "created_at": "2026-03-01T10:00:00Z", "email_id": "e", "email_from": "news@example.com", "email_to": ANN,
        "email_headers": [{"key": "X-Returpost-Mailing", "value": "spring"}], "email_response_code": code,
        "email_response_message": message,
    }  # fmt: skip


def cloudflare(kind: str, delivery: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    payload = {
        "eventId": kind, "messageId": "0101018f7d0c4d9a", "sender": "news@example.com", "recipient": ANN,
        "terminal": True, "delivery": {"status": kind} | (delivery or {}),
    }  # fmt: skip
    return {
        "type": f"cf.email.sending.message.{kind}",
        "source": {"type": "email.sending", "zoneId": "z", "domain": "example.com"},
        "payload": payload | more,
        "metadata": {"accountId": "a", "eventSchemaVersion": 1, "eventTimestamp": "2026-03-01T10:00:00.000Z"},
    }


MESSAGE = "message-" + __import__("hashlib").sha256(b"0101018f7d0c4d9a").hexdigest()[:24]
SMTP = {"smtpStatusCode": "550", "smtpEnhancedStatusCode": "5.1.1", "smtpResponse": "550 5.1.1 User unknown"}
RESPONSE = {"status_code": 550, "enhanced_status_code": "5.1.1", "content": "550 5.1.1 no"}


def ann(result: str, text: str = "") -> list[Row]:
    return [(result, ANN, "spring", text)]


CASES: list[tuple[str, dict[str, Any], list[Row]]] = [
    ("mailersend", mailersend("sent"), ann("sent")),
    ("mailersend", mailersend("delivered"), ann("delivered")),
    ("mailersend", mailersend("deferred"), ann("deferred")),
    (
        "mailersend",
        mailersend("hard_bounced", bounce_code=550, bounce_reason="550 5.1.1 no", bounce_type="hard"),
        ann("bounced", "550 5.1.1 no [mailersend: hard_bounced/hard]"),
    ),
    (
        "mailersend",
        mailersend("soft_bounced", bounce_code=452, bounce_reason="full"),
        ann("bounced", "full [mailersend: soft_bounced]"),
    ),
    (
        "mailersend",
        mailersend("suppressed", suppression_reason="hard bounce before"),
        ann("bounced", "(suppressed) [mailersend: suppressed]"),
    ),
    ("mailersend", mailersend("spam_complaints"), ann("complained")),
    ("mailersend", mailersend("unsubscribed"), ann("unsubscribed")),
    ("mailersend", mailersend("opened"), ann("opened")),
    ("mailersend", mailersend("opened_unique"), ann("opened")),
    ("mailersend", mailersend("clicked"), [("ignored", "activity.clicked")]),
    ("mailersend", mailersend_v1("delivered"), ann("delivered")),
    ("mailersend", mailersend_v1("spam_complaint", {"object": "spam_complaint"}), ann("complained")),
    (
        "mailersend",
        mailersend_v1("hard_bounced", {"object": "recipient_bounce", "reason": "550 5.1.1 no"}),
        ann("bounced", "550 5.1.1 no [mailersend: hard_bounced/recipient_bounce]"),
    ),
    ("mailersend", {"type": "webhook.test", "data": []}, [("ignored", "webhook.test")]),
    ("mailersend", {"type": "activity.teleported", "data": {}}, [("unknown",)]),
    ("mailtrap", mailtrap("delivery"), ann("delivered")),
    ("mailtrap", mailtrap("soft bounce", response="451 later", response_code=451), ann("deferred", "451 later")),
    ("mailtrap", mailtrap("suspension", reason="too many"), ann("deferred", "too many")),
    (
        "mailtrap",
        mailtrap("bounce", response="550 5.1.1 no", response_code=550, bounce_category="badmailbox"),
        ann("bounced", "550 5.1.1 no [mailtrap: bounce/badmailbox]"),
    ),
    (
        "mailtrap",
        mailtrap("reject", reason="Recipient in suppression list. Reason: unsubscription"),
        ann("bounced", "(suppressed) [mailtrap: reject]"),
    ),
    ("mailtrap", mailtrap("reject", reason="no HTML"), ann("bounced", "(not sent): no HTML [mailtrap: reject]")),
    ("mailtrap", mailtrap("spam"), ann("complained")),
    ("mailtrap", mailtrap("unsubscribe"), ann("unsubscribed")),
    ("mailtrap", mailtrap("open"), ann("opened")),
    ("mailtrap", mailtrap("click"), [("ignored", "click")]),
    ("mailtrap", mailtrap("teleported"), [("unknown",)]),
    ("unisender-go", unisender("sent", "ok_sent"), ann("sent")),
    ("unisender-go", unisender("delivered", "ok_delivered", "250 OK"), ann("delivered", "250 OK")),
    ("unisender-go", unisender("opened", "ok_read"), ann("opened")),
    ("unisender-go", unisender("clicked", "ok_link_visited"), [("ignored", "clicked")]),
    ("unisender-go", unisender("unsubscribed", "ok_unsubscribed"), ann("unsubscribed")),
    ("unisender-go", unisender("spam", "ok_spam_folder"), ann("complained")),
    (
        "unisender-go",
        unisender("hard_bounced", "err_user_unknown", "550 no"),
        ann("bounced", "550 no [unisender-go: hard_bounced/err_user_unknown]"),
    ),
    (
        "unisender-go",
        unisender("soft_bounced", "err_mailbox_full", "452 full"),
        ann("bounced", "452 full [unisender-go: soft_bounced/err_mailbox_full]"),
    ),
    ("unisender-go", unisender("soft_bounced", "err_will_retry", "451 later"), ann("deferred", "451 later")),
    (
        "unisender-go",
        unisender("hard_bounced", "err_unsubscribed", "unsubscribed"),
        ann("bounced", "(suppressed) [unisender-go: hard_bounced/err_unsubscribed]"),
    ),
    (
        "unisender-go",
        {"auth": "", "events_by_user": [{"events": [{"event_name": "transactional_spam_block", "event_data": {}}]}]},
        [("ignored", "transactional_spam_block")],
    ),
    ("unisender-go", {"auth": "", "events_by_user": [{"events": [{"event_name": "other"}]}]}, [("unknown",)]),
    ("lettermint", lettermint("message.sent"), ann("sent")),
    ("lettermint", lettermint("message.delivered", response={"content": "250 OK"}), ann("delivered", "250 OK")),
    (
        "lettermint",
        lettermint("message.hard_bounced", response=RESPONSE),
        ann("bounced", "550 5.1.1 no [lettermint: hard_bounced]"),
    ),
    (
        "lettermint",
        lettermint("message.soft_bounced", response={"status_code": 452, "content": "full"}),
        ann("bounced", "full [lettermint: soft_bounced]"),
    ),
    (
        "lettermint",
        lettermint("message.failed", reason="no template"),
        ann("bounced", "(not sent): no template [lettermint: failed]"),
    ),
    (
        "lettermint",
        lettermint("message.policy_rejected", reason="spam"),
        ann("bounced", "(not sent): spam [lettermint: policy_rejected]"),
    ),
    (
        "lettermint",
        lettermint("message.suppressed", reason="hard bounce"),
        ann("bounced", "(suppressed) [lettermint: suppressed]"),
    ),
    ("lettermint", lettermint("message.spam_complaint"), ann("complained")),
    ("lettermint", lettermint("message.unsubscribed"), ann("unsubscribed")),
    ("lettermint", lettermint("message.opened"), ann("opened")),
    ("lettermint", lettermint("message.auto_replied"), ann("auto_reply", "[lettermint: auto_replied]")),
    ("lettermint", lettermint("message.clicked"), [("ignored", "message.clicked")]),
    ("lettermint", lettermint("message.created"), [("ignored", "message.created")]),
    ("lettermint", lettermint("message.teleported"), [("unknown",)]),
    ("scaleway", scaleway("email_queued"), ann("sent")),
    ("scaleway", scaleway("email_delivered", 250, "OK"), ann("delivered")),
    ("scaleway", scaleway("email_deferred", 451, "451 later"), ann("deferred", "451 later")),
    (
        "scaleway",
        scaleway("email_dropped", 550, "550 5.7.1 no"),
        ann("bounced", "550 5.7.1 no [scaleway: email_dropped]"),
    ),
    ("scaleway", scaleway("email_spam", 554, "554 spam"), ann("bounced", "554 spam [scaleway: email_spam]")),
    (
        "scaleway",
        scaleway("email_mailbox_not_found", 550, "550 5.1.1 no"),
        ann("bounced", "550 5.1.1 no [scaleway: email_mailbox_not_found]"),
    ),
    ("scaleway", scaleway("email_blocklisted"), ann("bounced", "(suppressed) [scaleway: email_blocklisted]")),
    ("scaleway", scaleway("blocklist_created"), [("ignored", "blocklist_created")]),
    (
        "scaleway",
        {"Type": "Notification", "TopicArn": "arn:scw:sns:fr-par:p:t", "Message": json.dumps(scaleway("email_queued"))},
        ann("sent"),
    ),
    ("scaleway", {"Type": "SubscriptionConfirmation"}, [("ignored", "SubscriptionConfirmation")]),
    ("scaleway", scaleway("email_teleported"), [("unknown",)]),
    ("cloudflare", cloudflare("delivered"), [("delivered", ANN, MESSAGE, "")]),
    (
        "cloudflare",
        cloudflare("deferred", {"smtpResponse": "451 4.2.0 later"}),
        [("deferred", ANN, MESSAGE, "451 4.2.0 later")],
    ),
    (
        "cloudflare",
        cloudflare("bounced", SMTP, bounce={"type": "hard", "classification": "permanent_failure", "reason": "x"}),
        [("bounced", ANN, MESSAGE, "550 5.1.1 User unknown [cloudflare: bounced/hard/permanent_failure]")],
    ),
    (
        "cloudflare",
        cloudflare("failed", failure={"reason": "delivery_failed"}),
        [("bounced", ANN, MESSAGE, "(not sent):  [cloudflare: failed/delivery_failed]")],
    ),
    (
        "cloudflare",
        cloudflare("rejected", rejection={"reason": "suppressed", "party": "recipient", "detail": "is suppressed"}),
        [("bounced", ANN, MESSAGE, "(suppressed) [cloudflare: rejected/suppressed]")],
    ),
    ("cloudflare", cloudflare("complained", complaint={"type": "abuse"}), [("complained", ANN, MESSAGE, "")]),
    ("cloudflare", {"messages": [{"id": "1", "body": cloudflare("delivered")}]}, [("delivered", ANN, MESSAGE, "")]),
    ("cloudflare", cloudflare("teleported"), [("unknown",)]),
]


@pytest.mark.parametrize(("provider", "payload", "expected"), CASES, ids=lambda value: str(value)[:40])
def test_every_kind(provider: str, payload: dict[str, Any], expected: list[Row]) -> None:
    assert outcomes(provider, payload) == expected


def legacy(**fields: str) -> bytes:
    form = {
        "recipient": ANN, "domain": "example.com", "timestamp": str(EPOCH), "token": "t", "signature": "s",
        "message-headers": json.dumps([["Message-Id", "<1@example.com>"], ["Subject", "Spring"]]), "mailing": "spring",
    }  # fmt: skip
    return urlencode(form | fields).encode()


FORMS = [
    (legacy(event="delivered"), ann("delivered")),
    (
        legacy(event="bounced", code="550", error="550 5.1.1 no", notification=""),
        ann("bounced", "550 5.1.1 no [mailgun: permanent/bounce]"),
    ),
    (
        legacy(event="dropped", reason="hardfail", code="605", description="Not delivering to a bounced address"),
        ann("bounced", "(suppressed) [mailgun: permanent/hardfail]"),
    ),
    (
        legacy(event="dropped", reason="old", code="602", description="Too old"),
        ann("bounced", "Too old [mailgun: permanent/old]"),
    ),
    (legacy(event="complained"), ann("complained")),
    (legacy(event="unsubscribed"), ann("unsubscribed")),
    (legacy(event="opened"), ann("opened")),
    (legacy(event="clicked"), [("ignored", "clicked")]),
    (legacy(event="teleported"), [("unknown",)]),
    (legacy(), [("unknown",)]),
]


@pytest.mark.parametrize(("body", "expected"), FORMS, ids=lambda value: str(value)[:60])
def test_mailgun_reads_legacy_forms(body: bytes, expected: list[Row]) -> None:
    assert outcomes("mailgun", body) == expected


def test_mailgun_reads_multipart_forms() -> None:
    """With an attachment: the returned message."""
    parts = {"event": "bounced", "recipient": ANN, "timestamp": str(EPOCH), "code": "550", "error": "550 no"}
    parts |= {"mailing": "spring"}
    body = b"".join(
        b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value.encode())
        for name, value in parts.items()
    )
    body += b'--xyz\r\nContent-Disposition: form-data; name="attachment-1"; filename="a.eml"\r\n\r\nx\r\n--xyz--\r\n'
    assert outcomes("mailgun", body) == ann("bounced", "550 no [mailgun: permanent/bounce]")


def test_mailgun_rejected_without_recipient_is_of_all_that_the_message_names() -> None:
    data = {
        "event": "rejected", "id": "r", "timestamp": EPOCH, "tags": ["mailing:spring"],
        "reject": {"reason": "Sandbox subdomains are for test purposes only.", "description": ""},
        "message": {"headers": {"to": f"Ann <{ANN}>, bob@example.com", "message-id": "1@example.com"}},
    }  # fmt: skip
    found = outcomes("mailgun", {"event-data": data})
    assert [(row[0], row[1]) for row in found] == [("bounced", ANN), ("bounced", "bob@example.com")]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "bounce", "reason": "550 5.1.1 no", "status": "5.1.1"}, "bounced"),
        ({"type": "blocked", "reason": "554 5.7.1 no"}, "bounced"),
        ({"response": "250 OK"}, "delivered"),
        ({"response": "451 later", "attempt": "2"}, "deferred"),
        ({"reason": "Bounced Address"}, "bounced"),
        ({"useragent": "Mozilla/5.0"}, "opened"),
        ({"useragent": "Mozilla/5.0", "url": "https://example.com"}, "ignored"),
        ({"asm_group_id": 1}, "unsubscribed"),
        ({}, "unknown"),
    ],
)
def test_sendgrid_event_without_a_name_is_known_by_its_fields(event: dict[str, Any], kind: str) -> None:
    usual = {"email": ANN, "timestamp": EPOCH, "sg_message_id": "m", "mailing": "spring"}
    assert outcomes("sendgrid", [usual | event])[0][0] == kind


@pytest.mark.parametrize("kind", ["suppression.added", "suppression.removed"])
def test_resend_changes_of_its_list_say_nothing_of_a_delivery(kind: str) -> None:
    data = {"id": "s", "email": ANN, "origin": "bounce", "source_id": "e"}
    assert outcomes("resend", {"type": kind, "created_at": TIME, "data": data}) == [("ignored", kind)]


def verdict(provider: str, payload: Any) -> Reason:
    (found,) = normalize(provider, json.dumps(payload).encode())
    assert isinstance(found, NormalizedResult)
    return classify(found.evidence, load()).reason


@pytest.mark.parametrize(
    ("provider", "payload", "reason"),
    [
        (
            "resend",
            {"type": "email.bounced", "created_at": TIME, "data": {"to": [ANN], "email_id": "m"}},
            Reason.UNDETERMINED,
        ),
        ("unisender-go", unisender("hard_bounced", "err_user_unknown"), Reason.USER_UNKNOWN),
        ("unisender-go", unisender("soft_bounced", "err_mailbox_full"), Reason.MAILBOX_FULL),
        ("unisender-go", unisender("hard_bounced", "err_user_inactive"), Reason.ACCOUNT_DISABLED),
        ("unisender-go", unisender("hard_bounced", "err_domain_inactive"), Reason.DOMAIN_UNKNOWN),
        ("scaleway", scaleway("email_mailbox_not_found"), Reason.USER_UNKNOWN),
        ("scaleway", scaleway("email_spam"), Reason.SPAM_CONTENT),
        ("scaleway", scaleway("email_blocklisted"), Reason.SUPPRESSED),
        ("mailersend", mailersend("hard_bounced"), Reason.USER_UNKNOWN),
        ("lettermint", lettermint("message.suppressed"), Reason.SUPPRESSED),
        ("mailtrap", mailtrap("bounce", bounce_category="quota"), Reason.MAILBOX_FULL),
        ("cloudflare", cloudflare("bounced", SMTP), Reason.USER_UNKNOWN),
    ],
)
def test_codes_alone_have_a_verdict(provider: str, payload: Any, reason: Reason) -> None:
    assert verdict(provider, payload) is reason
