"""Mailjet, Brevo, Mandrill, Resend, Azure, Postal and KumoMTA, each after its documentation:

https://dev.mailjet.com/email/guides/webhooks/
https://developers.brevo.com/docs/transactional-webhooks
https://mailchimp.com/developer/transactional/docs/webhooks/
https://resend.com/docs/webhooks/event-types
https://learn.microsoft.com/azure/event-grid/communication-services-email-events
https://docs.postalserver.io/developer/webhooks
https://docs.kumomta.com/reference/log_record/
"""

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from returpost.bounces.providers import NormalizedResult
from tests.ingest.webhooks.builders import ANN, BOB, EPOCH, TIME, items, outcomes

LISTED = "(suppressed)"
UNSENT = "(not sent)"
Row = tuple[str, ...]


def message(identity: str) -> str:
    return f"message-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"


def mailjet(kind: str, **more: Any) -> dict[str, Any]:
    common = {"event": kind, "time": EPOCH, "MessageID": 1, "Message_GUID": "g1", "email": ANN, "mj_campaign_id": 7}
    return common | {"customcampaign": "", "CustomID": "", "Payload": ""} | more


def soft(error: str, **more: Any) -> dict[str, Any]:
    return {
        "blocked": False,
        "hard_bounce": False,
        "error_related_to": "domain",
        "error": error,
        "comment": "said",
    } | more


MAILJET: list[tuple[dict[str, Any], Row]] = [
    (mailjet("sent", smtp_reply="250 OK"), ("delivered", ANN, "7", "250 OK")),
    (
        mailjet("bounce", **soft("user unknown", hard_bounce=True, error_related_to="recipient")),
        ("bounced", ANN, "7", "said [mailjet: bounce/hard_bounce/recipient/user unknown]"),
    ),
    (
        mailjet("bounce", **soft("invalid domain"), customcampaign="spring"),
        ("bounced", ANN, "spring", "said [mailjet: bounce/soft_bounce/domain/invalid domain]"),
    ),
    (
        mailjet("bounce", **soft("greylisted"), Payload='{"mailing": "summer"}'),
        ("deferred", ANN, "summer", "said [mailjet: bounce/soft_bounce/domain/greylisted]"),
    ),
    (
        mailjet("blocked", error_related_to="mailjet", error="preblocked", comment="before"),
        ("bounced", ANN, "7", f"{LISTED} [mailjet: blocked]"),
    ),
    (mailjet("blocked", error_related_to="mailjet", error="duplicate in campaign"), ("ignored", "blocked")),
    (mailjet("spam", source="JMRPP"), ("complained", ANN, "7", "")),
    (mailjet("unsub", mj_list_id=1, CustomID="mailing:autumn"), ("unsubscribed", ANN, "autumn", "")),
    (mailjet("open", mj_campaign_id=0), ("opened", ANN, message("g1"), "")),
    (mailjet("click"), ("ignored", "click")),
    (mailjet("teleported"), ("unknown",)),
]


def brevo(kind: str, **more: Any) -> dict[str, Any]:
    common = {"event": kind, "email": ANN, "id": 26224, "date": "2026-03-01 11:00:00", "ts": EPOCH + 3600}
    return common | {"message-id": "<m1@x>", "ts_epoch": EPOCH * 1000, "X-Mailin-custom": "mailing:spring"} | more


BREVO: list[tuple[dict[str, Any], Row]] = [
    (brevo("request"), ("sent", ANN, "spring", "")),
    (brevo("delivered"), ("delivered", ANN, "spring", "")),
    (brevo("deferred", reason="451 later"), ("deferred", ANN, "spring", "451 later")),
    (brevo("soft_bounce", reason="452 full"), ("bounced", ANN, "spring", "452 full [brevo: soft_bounce]")),
    (brevo("hard_bounce", reason="550 no"), ("bounced", ANN, "spring", "550 no [brevo: hard_bounce]")),
    (brevo("invalid_email"), ("bounced", ANN, "spring", "[brevo: invalid_email]")),
    (brevo("blocked", reason="before"), ("bounced", ANN, "spring", f"{LISTED} [brevo: blocked]")),
    (brevo("error", reason="quota"), ("bounced", ANN, "spring", f"{UNSENT}: quota [brevo: error]")),
    (brevo("spam"), ("complained", ANN, "spring", "")),
    (brevo("unsubscribed"), ("unsubscribed", ANN, "spring", "")),
    (brevo("opened"), ("opened", ANN, "spring", "")),
    (brevo("unique_opened"), ("opened", ANN, "spring", "")),
    (brevo("unique_proxy_open"), ("ignored", "unique_proxy_open")),
    (brevo("click", link="http://x"), ("ignored", "click")),
    (brevo("list_addition"), ("ignored", "list_addition")),
    (brevo("hard_bounce", camp_id=4, **{"X-Mailin-custom": None}), ("bounced", ANN, "4", "[brevo: hard_bounce]")),
    (brevo("delivered", **{"X-Mailin-custom": "x"}), ("delivered", ANN, message("m1@x"), "")),
    (brevo("delivered", **{"X-Mailin-custom": "user:7|mailing:may:1|y"}), ("delivered", ANN, "may:1", "")),
    (brevo("teleported"), ("unknown",)),
]


def mandrill(kind: str, **more: Any) -> dict[str, Any]:
    inside = {
        "ts": EPOCH - 9,
        "_id": "m1",
        "email": ANN,
        "tags": ["t"],
        "metadata": {"mailing": "spring"},
        "state": "x",
    }
    return {"event": kind, "_id": "m1", "ts": EPOCH, "msg": inside | more}


MANDRILL: list[tuple[dict[str, Any], Row]] = [
    (mandrill("send"), ("sent", ANN, "spring", "")),
    (mandrill("delivered"), ("delivered", ANN, "spring", "")),
    (mandrill("deferral", smtp_events=[{"diag": "451 4.3.5 later"}]), ("deferred", ANN, "spring", "451 4.3.5 later")),
    (
        mandrill("hard_bounce", bounce_description="bad_mailbox", bgtools_code=10, diag="smtp;550 5.1.1 no"),
        ("bounced", ANN, "spring", "smtp;550 5.1.1 no [mandrill: hard_bounce/bad_mailbox]"),
    ),
    (
        mandrill("soft_bounce", bounce_description="mailbox_full", diag="smtp;552 5.2.2 full"),
        ("bounced", ANN, "spring", "smtp;552 5.2.2 full [mandrill: soft_bounce/mailbox_full]"),
    ),
    (
        mandrill("reject", reject={"reason": "hard-bounce"}),
        ("bounced", ANN, "spring", f"{LISTED} [mandrill: reject/hard-bounce]"),
    ),
    (
        mandrill("reject", reject={"reason": "unsigned"}),
        ("bounced", ANN, "spring", f"{UNSENT}: unsigned [mandrill: reject]"),
    ),
    (mandrill("reject"), ("bounced", ANN, "spring", f"{LISTED} [mandrill: reject]")),
    (mandrill("spam"), ("complained", ANN, "spring", "")),
    (mandrill("unsub"), ("unsubscribed", ANN, "spring", "")),
    (mandrill("open", metadata=[]), ("opened", ANN, message("m1"), "")),
    (mandrill("click"), ("ignored", "click")),
    ({"type": "blacklist", "action": "add", "reject": {"email": ANN}, "ts": EPOCH}, ("ignored", "blacklist")),
    (mandrill("teleported"), ("unknown",)),
]


def resend(kind: str, *to: str, **more: Any) -> dict[str, Any]:
    data = {"email_id": "56761188", "to": list(to) or [ANN], "created_at": "x", "tags": {"mailing": "spring"}}
    return {"type": f"email.{kind}", "created_at": "2026-03-01T10:00:00.000Z", "data": data | more}


RESEND: list[tuple[dict[str, Any], Row]] = [
    (resend("sent"), ("sent", ANN, "spring", "")),
    (resend("delivered"), ("delivered", ANN, "spring", "")),
    (resend("delivery_delayed"), ("deferred", ANN, "spring", "")),
    (
        resend("bounced", bounce={"message": "no such user", "type": "Permanent", "subType": "General"}),
        ("bounced", ANN, "spring", "no such user [resend: email.bounced/Permanent/General]"),
    ),
    (
        resend("bounced", bounce={"message": "a hard bounce", "diagnosticCode": ["smtp; 550 5.1.1 no"], "type": "x"}),
        ("bounced", ANN, "spring", "smtp; 550 5.1.1 no [resend: email.bounced/x]"),
    ),
    (resend("delivered", tags={}, broadcast_id="b1"), ("delivered", ANN, "b1", "")),
    (
        resend("bounced", bounce={"message": "listed", "type": "Permanent", "subType": "Suppressed"}),
        ("bounced", ANN, "spring", f"{LISTED} [resend: email.bounced/Permanent/Suppressed]"),
    ),
    (
        resend("suppressed", suppressed={"message": "listed", "type": "OnAccountSuppressionList"}),
        ("bounced", ANN, "spring", f"{LISTED} [resend: email.suppressed/OnAccountSuppressionList]"),
    ),
    (
        resend("failed", failed={"reason": "reached_daily_quota"}),
        ("bounced", ANN, "spring", f"{UNSENT}: reached_daily_quota [resend: email.failed]"),
    ),
    (resend("complained", tags=[{"name": "mailing", "value": "summer"}]), ("complained", ANN, "summer", "")),
    (resend("opened"), ("opened", ANN, "spring", "")),
    (resend("opened", ANN, BOB), ("ignored", "email.opened")),
    (resend("bounced", ANN, BOB, bounce={"message": "no"}), ("broken",)),
    (resend("clicked"), ("ignored", "email.clicked")),
    ({"type": "contact.created", "data": {}}, ("ignored", "contact.created")),
    (resend("teleported"), ("unknown",)),
]


def azure(status: str, said: str = "", **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"sender": "s@example.org", "recipient": ANN, "messageId": "m1", "status": status}
    data |= {
        "deliveryAttemptTimeStamp": "2026-03-01T10:00:00.0000000Z",
        "deliveryStatusDetails": {"statusMessage": said},
    }
    return {"id": "e1", "eventType": "Microsoft.Communication.EmailDeliveryReportReceived", "data": data | more}


def engaged(kind: str, **more: Any) -> dict[str, Any]:
    data = {"messageId": "m1", "userActionTimeStamp": "2026-03-01T10:00:00.0000000+00:00", "engagementType": kind}
    return {"id": "e1", "type": "Microsoft.Communication.EmailEngagementTrackingReportReceived", "data": data | more}


M1 = message("m1")
AZURE: list[tuple[dict[str, Any], Row]] = [
    (azure("Delivered", "OK"), ("delivered", ANN, M1, "OK")),
    (azure("Bounced", "550 5.1.1 no"), ("bounced", ANN, M1, "550 5.1.1 no [azure: Bounced]")),
    (azure("Failed"), ("bounced", ANN, M1, "[azure: Failed]")),
    (azure("FilteredSpam", deliveryStatusDetails="spam"), ("bounced", ANN, M1, "spam [azure: FilteredSpam]")),
    (azure("Quarantined"), ("bounced", ANN, M1, "[azure: Quarantined]")),
    (azure("Suppressed", "x"), ("bounced", ANN, M1, f"{LISTED} [azure: Suppressed]")),
    (azure("Delivered", internetMessageId="<i1@x>"), ("delivered", ANN, message("i1@x"), "")),
    (azure("Expanded"), ("ignored", "Expanded")),
    (engaged("view", recipient=ANN), ("opened", ANN, M1, "")),
    (engaged("View"), ("ignored", "view")),
    (engaged("click", recipient=ANN), ("ignored", "click")),
    (azure("Teleported"), ("unknown",)),
    ({"eventType": "Microsoft.Storage.BlobCreated"}, ("unknown",)),
]


def postal(kind: str, status: str, output: str, details: str = "", **more: Any) -> dict[str, Any]:
    told_of = {"id": 1, "token": "t", "direction": "outgoing", "message_id": "m1@x", "to": ANN, "tag": "mailing:spring"}
    payload = {"status": status, "details": details, "output": output, "timestamp": EPOCH, "message": told_of | more}
    return {"event": kind, "timestamp": EPOCH, "payload": payload, "uuid": "u1"}


OF_POSTAL = postal("", "", "")["payload"]["message"]
BOUNCED = {"original_message": OF_POSTAL, "bounce": {"id": 2, "subject": "Undelivered Mail", "from": "x@example.com"}}
POSTAL: list[tuple[dict[str, Any], Row]] = [
    (postal("MessageSent", "Sent", "250 OK"), ("delivered", ANN, "spring", "250 OK")),
    (postal("MessageDelayed", "SoftFail", "451 later"), ("deferred", ANN, "spring", "451 later")),
    (
        postal("MessageDeliveryFailed", "HardFail", "550 5.1.1 no"),
        ("bounced", ANN, "spring", "550 5.1.1 no [postal: MessageDeliveryFailed/HardFail]"),
    ),
    (
        postal("MessageHeld", "Held", "", "Recipient is on the suppression list"),
        ("bounced", ANN, "spring", f"{LISTED} [postal: MessageHeld/Held]"),
    ),
    (postal("MessageHeld", "Held", "", "Development mode"), ("deferred", ANN, "spring", "Development mode")),
    (
        {"event": "MessageBounced", "timestamp": EPOCH, "payload": BOUNCED, "uuid": "u1"},
        ("bounced", ANN, "spring", "Undelivered Mail [postal: MessageBounced]"),
    ),
    (BOUNCED | {"timestamp": EPOCH}, ("bounced", ANN, "spring", "Undelivered Mail [postal: MessageBounced]")),
    (postal("", "Sent", "250 OK")["payload"], ("delivered", ANN, "spring", "250 OK")),
    (postal("MessageLoaded", "", ""), ("opened", ANN, "spring", "")),
    (postal("MessageSent", "Sent", "", direction="incoming"), ("ignored", "MessageSent")),
    (postal("MessageLinkClicked", "", ""), ("ignored", "MessageLinkClicked")),
    ({"event": "DomainDNSError", "payload": {"domain": "example.com"}, "uuid": "u"}, ("ignored", "DomainDNSError")),
    (postal("MessageTeleported", "", ""), ("unknown",)),
]


def kumo(kind: str, code: int = 250, content: str = "OK", **more: Any) -> dict[str, Any]:
    enhanced = {"class": code // 100, "subject": 1, "detail": 1}
    record = {"type": kind, "id": "1d98", "recipient": ANN, "timestamp": EPOCH, "num_attempts": 1, "nodeid": "n"}
    record |= {"queue": "spring:acme@example.com", "meta": {}, "headers": {}, "bounce_classification": "Uncategorized"}
    record |= {
        "response": {"code": code, "enhanced_code": enhanced, "content": content},
        "peer_address": {"name": "mx."},
    }
    return record | more


ABUSE = {"feedback_type": "abuse", "original_rcpto_to": [f"<{ANN}>"]}
KUMO: list[tuple[dict[str, Any], Row]] = [
    (kumo("Reception"), ("sent", ANN, "spring", "")),
    (kumo("Delivery"), ("delivered", ANN, "spring", "250 2.1.1 OK")),
    (kumo("TransientFailure", 451, "later"), ("deferred", ANN, "spring", "451 4.1.1 later")),
    (
        kumo("Bounce", 550, "no", bounce_classification="InvalidRecipient", meta={"mailing": "summer"}),
        ("bounced", ANN, "summer", "550 5.1.1 no [kumomta: Bounce/InvalidRecipient]"),
    ),
    (kumo("Expiration", 551, "old"), ("bounced", ANN, "spring", "551 5.1.1 old [kumomta: Expiration/Uncategorized]")),
    (kumo("OOB", 550, "no", recipient=[ANN]), ("bounced", ANN, "spring", "550 5.1.1 no [kumomta: OOB/Uncategorized]")),
    (kumo("AdminBounce", 551, "x"), ("bounced", ANN, "spring", "551 5.1.1 x [kumomta: AdminBounce/Uncategorized]")),
    (kumo("Feedback", response=None, feedback_report=ABUSE), ("complained", ANN, "spring", "")),
    (
        kumo("Feedback", response=None, feedback_report=ABUSE | {"feedback_type": "opt-out"}),
        ("unsubscribed", ANN, "spring", ""),
    ),
    (kumo("Feedback", response=None, feedback_report=ABUSE | {"feedback_type": "not-spam"}), ("ignored", "not-spam")),
    (kumo("Delivery", queue="example.com", headers={"Message-ID": "<m1>"}), ("delivered", ANN, M1, "250 2.1.1 OK")),
    (kumo("Delayed", 400, "throttled"), ("deferred", ANN, "spring", "400 4.1.1 throttled")),
    (kumo("Rejection", 550), ("ignored", "Rejection")),
    (kumo("Teleportation"), ("unknown",)),
]
TABLES = {"mailjet": MAILJET, "brevo": BREVO, "resend": RESEND, "azure": AZURE, "postal": POSTAL, "kumomta": KUMO}
ALL = [
    pytest.param(name, payload, expected, id=f"{name}-{n}")
    for name, table in TABLES.items()
    for n, (payload, expected) in enumerate(table)
]


@pytest.mark.parametrize(("provider", "payload", "expected"), ALL)
def test_every_kind(provider: str, payload: dict[str, Any], expected: Row) -> None:
    assert outcomes(provider, payload) == [expected]


def test_every_kind_of_mandrill_in_its_form() -> None:
    form = urlencode({"mandrill_events": json.dumps([payload for payload, _ in MANDRILL])}).encode()
    assert outcomes("mandrill", form) == [expected for _, expected in MANDRILL]
    for body in (b"{}", b"other=1", form + b"&" + form):
        assert outcomes("mandrill", body) == [("broken",)]


def test_log_records_come_one_as_a_list_or_as_lines() -> None:
    records = [payload for payload, _ in KUMO]
    expected = [row for _, row in KUMO]
    assert outcomes("kumomta", records) == expected
    assert outcomes("kumomta", b"\n".join(json.dumps(record).encode() for record in records)) == expected
    assert [row[1] for row in outcomes("kumomta", kumo("Delivery", recipient=[ANN, BOB]))] == [ANN, BOB]


@pytest.mark.parametrize(
    ("provider", "payload", "identity"),
    [
        ("mailjet", MAILJET[0][0], None),
        ("brevo", BREVO[0][0], None),
        ("resend", RESEND[0][0], f"56761188:email.sent:2026-03-01T10:00:00.000Z:{ANN}"),
        ("azure", AZURE[0][0], "e1"),
        ("postal", POSTAL[0][0], "u1"),
        ("kumomta", KUMO[1][0], f"n:1d98:Delivery:1:{EPOCH}:{ANN}"),
    ],
)
def test_ids_are_the_providers_where_they_stay_the_same(provider: str, payload: Any, identity: str | None) -> None:
    (found,) = items(provider, payload)
    assert isinstance(found, NormalizedResult)
    assert found.event_id == identity
    assert found.result.time.isoformat() == TIME
