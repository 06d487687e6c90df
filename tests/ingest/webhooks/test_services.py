"""SendGrid, Mailgun, Postmark and SparkPost, each after its documentation:

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure
https://postmarkapp.com/developer/webhooks/webhooks-overview
https://support.sparkpost.com/docs/tech-resources/webhook-event-reference
"""

from typing import Any

import pytest

from returpost.bounces.providers import NormalizedResult
from tests.ingest.webhooks.builders import ANN, EPOCH, TIME, items, outcomes

LISTED = "(suppressed)"
POLICY = "554 5.7.1 [internal] recipient address was suppressed due to customer policy"
UNSENT = "(not sent)"
Row = tuple[str, ...]


def sendgrid(kind: str, **more: Any) -> dict[str, Any]:
    common = {"email": ANN, "timestamp": EPOCH, "event": kind, "category": ["cat", "mailing:spring"]}
    return common | {"smtp-id": "<m1@example.org>", "sg_event_id": "e1", "sg_message_id": "m1.filter01"} | more


SENDGRID: list[tuple[dict[str, Any], Row]] = [
    (sendgrid("processed"), ("sent", ANN, "spring", "")),
    (sendgrid("delivered", response="250 OK"), ("delivered", ANN, "spring", "250 OK")),
    (sendgrid("deferred", response="400 later", attempt="5"), ("deferred", ANN, "spring", "400 later")),
    (
        sendgrid(
            "bounce", type="bounce", reason="550 5.1.1 no", status="5.1.1", bounce_classification="Invalid Address"
        ),
        ("bounced", ANN, "spring", "550 5.1.1 no [sendgrid: bounce/bounce/Invalid Address]"),
    ),
    (
        sendgrid("bounce", type="blocked", reason="554 5.7.1 spam", mailing="summer"),
        ("bounced", ANN, "summer", "554 5.7.1 spam [sendgrid: bounce/blocked]"),
    ),
    (
        sendgrid("dropped", reason="Bounced Address"),
        ("bounced", ANN, "spring", f"{LISTED} [sendgrid: dropped]"),
    ),
    (sendgrid("dropped", reason="Spam Content"), ("bounced", ANN, "spring", "Spam Content [sendgrid: dropped]")),
    (sendgrid("spamreport"), ("complained", ANN, "spring", "")),
    (sendgrid("unsubscribe"), ("unsubscribed", ANN, "spring", "")),
    (sendgrid("group_unsubscribe", asm_group_id=1), ("unsubscribed", ANN, "spring", "")),
    (sendgrid("open", sg_machine_open=False), ("opened", ANN, "spring", "")),
    (sendgrid("open", sg_machine_open=True), ("ignored", "open")),
    (sendgrid("click", url="http://x"), ("ignored", "click")),
    (sendgrid("group_resubscribe"), ("ignored", "group_resubscribe")),
    (sendgrid("account_status_change", type="compliance_suspend"), ("ignored", "account_status_change")),
    (sendgrid("processed", category="cat", singlesend_id="ss-9"), ("sent", ANN, "ss-9", "")),
    (sendgrid("teleported"), ("unknown",)),
]


def mailgun(kind: str, **more: Any) -> dict[str, Any]:
    data = {"id": "e1", "timestamp": EPOCH, "event": kind, "recipient": ANN, "tags": ["a"]}
    data |= {"user-variables": {"returpost_mailing": "spring"}, "message": {"headers": {"message-id": "m1@x"}}}
    return {"signature": {}, "event-data": data | more}


def status(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "description": "", "mx-host": "mx.example.com", "enhanced-code": "5.1.1"}


MAILGUN: list[tuple[dict[str, Any], Row]] = [
    (mailgun("accepted"), ("sent", ANN, "spring", "")),
    (mailgun("delivered", **{"delivery-status": status(250, "OK")}), ("delivered", ANN, "spring", "OK")),
    (
        mailgun("failed", severity="permanent", reason="bounce", **{"delivery-status": status(550, "5.1.1 no")}),
        ("bounced", ANN, "spring", "5.1.1 no [mailgun: permanent/bounce]"),
    ),
    (
        mailgun("failed", severity="temporary", reason="generic", **{"delivery-status": status(451, "later")}),
        ("deferred", ANN, "spring", "later [mailgun: temporary/generic]"),
    ),
    (
        mailgun(
            "failed", severity="permanent", reason="suppress-bounce", **{"delivery-status": status(605, "bounced")}
        ),
        ("bounced", ANN, "spring", f"{LISTED} [mailgun: permanent/suppress-bounce]"),
    ),
    (
        mailgun("rejected", reject={"reason": "Sandbox", "description": ""}),
        ("bounced", ANN, "spring", f"{UNSENT}: Sandbox [mailgun: rejected]"),
    ),
    (mailgun("complained"), ("complained", ANN, "spring", "")),
    (mailgun("unsubscribed"), ("unsubscribed", ANN, "spring", "")),
    (mailgun("opened"), ("opened", ANN, "spring", "")),
    (mailgun("clicked"), ("ignored", "clicked")),
    (mailgun("stored"), ("ignored", "stored")),
    (mailgun("complained")["event-data"], ("complained", ANN, "spring", "")),
    (mailgun("teleported"), ("unknown",)),
    ({"signature": {}}, ("broken",)),
]


def postmark(kind: str, **more: Any) -> dict[str, Any]:
    common = {"RecordType": kind, "MessageID": "883953f4", "Tag": "welcome", "Metadata": {"mailing": "spring"}}
    return common | {"Recipient": ANN, "Details": "said"} | more


def returned(type_: str, code: int) -> dict[str, Any]:
    event = {"ID": 42, "Type": type_, "TypeCode": code, "Email": ANN, "BouncedAt": "2026-03-01T05:00:00.0000000-05:00"}
    said = {"Details": "smtp;550 5.1.1 no", "Description": "The server was unable", "Recipient": None}
    return postmark("Bounce", **event, **said)


POSTMARK: list[tuple[dict[str, Any], Row]] = [
    (postmark("Delivery", DeliveredAt="2026-03-01T05:00:00-05:00"), ("delivered", ANN, "spring", "said")),
    (returned("HardBounce", 1), ("bounced", ANN, "spring", "smtp;550 5.1.1 no [postmark: HardBounce/1]")),
    (returned("SoftBounce", 4096), ("bounced", ANN, "spring", "smtp;550 5.1.1 no [postmark: SoftBounce/4096]")),
    (returned("Blocked", 100006), ("bounced", ANN, "spring", "smtp;550 5.1.1 no [postmark: Blocked/100006]")),
    (returned("Transient", 2), ("deferred", ANN, "spring", "smtp;550 5.1.1 no [postmark: Transient/2]")),
    (
        returned("ManuallyDeactivated", 100002),
        ("bounced", ANN, "spring", f"{LISTED} [postmark: ManuallyDeactivated/100002]"),
    ),
    (
        returned("SMTPApiError", 100007),
        ("bounced", ANN, "spring", f"{UNSENT}: smtp;550 5.1.1 no [postmark: SMTPApiError/100007]"),
    ),
    (returned("AutoResponder", 64), ("auto_reply", ANN, "spring", "smtp;550 5.1.1 no [postmark: AutoResponder/64]")),
    (
        returned("ChallengeVerification", 16384),
        ("challenge", ANN, "spring", "smtp;550 5.1.1 no [postmark: ChallengeVerification/16384]"),
    ),
    (returned("Unsubscribe", 16), ("unsubscribed", ANN, "spring", "smtp;550 5.1.1 no [postmark: Unsubscribe/16]")),
    (returned("Subscribe", 32), ("ignored", "Subscribe")),
    (returned("Teleported", 7), ("unknown",)),
    (postmark("SpamComplaint", BouncedAt=TIME, Email=ANN), ("complained", ANN, "spring", "said")),
    (
        postmark("SubscriptionChange", ChangedAt=TIME, SuppressSending=True, Origin="Recipient"),
        ("unsubscribed", ANN, "spring", "said"),
    ),
    (
        postmark("SubscriptionChange", ChangedAt=TIME, SuppressSending=True, Origin="Customer"),
        ("ignored", "SubscriptionChange"),
    ),
    (
        postmark("SubscriptionChange", SuppressSending=True, Origin="Recipient", SuppressionReason="HardBounce"),
        ("ignored", "SubscriptionChange"),
    ),
    (
        postmark(
            "SubscriptionChange",
            ChangedAt=TIME,
            SuppressSending=True,
            Origin="Recipient",
            SuppressionReason="ManualSuppression",
        ),
        ("unsubscribed", ANN, "spring", "said"),
    ),
    (postmark("Open", ReceivedAt=TIME), ("opened", ANN, "spring", "said")),
    (postmark("Click", ReceivedAt=TIME), ("ignored", "Click")),
    (postmark("Teleported"), ("unknown",)),
]


def sparkpost(kind: str, group: str = "message_event", **more: Any) -> dict[str, Any]:
    event: dict[str, Any] = {"type": kind, "event_id": "9235", "timestamp": str(EPOCH), "raw_rcpt_to": ANN}
    event |= {"campaign_id": "spring", "rcpt_meta": {}, "transmission_id": "t1", "message_id": "m1"}
    return {"msys": {group: event | more}}


def failed(kind: str, bounce_class: str, reason: str = "550 5.1.1 no") -> dict[str, Any]:
    return sparkpost(kind, bounce_class=bounce_class, raw_reason=reason, error_code="550", ip_address="192.0.2.1")


SPARKPOST: list[tuple[dict[str, Any], Row]] = [
    (sparkpost("injection"), ("sent", ANN, "spring", "")),
    (sparkpost("delivery"), ("delivered", ANN, "spring", "")),
    (failed("delay", "20", "421 later"), ("deferred", ANN, "spring", "421 later")),
    (failed("bounce", "10"), ("bounced", ANN, "spring", "550 5.1.1 no [sparkpost: bounce/bounce_class 10]")),
    (failed("out_of_band", "30"), ("bounced", ANN, "spring", "550 5.1.1 no [sparkpost: out_of_band/bounce_class 30]")),
    (failed("bounce", "60"), ("auto_reply", ANN, "spring", "550 5.1.1 no [sparkpost: bounce/bounce_class 60]")),
    (failed("bounce", "100"), ("challenge", ANN, "spring", "550 5.1.1 no [sparkpost: bounce/bounce_class 100]")),
    (failed("bounce", "90"), ("unsubscribed", ANN, "spring", "550 5.1.1 no [sparkpost: bounce/bounce_class 90]")),
    (failed("bounce", "80"), ("ignored", "bounce")),
    (
        failed("policy_rejection", "25", POLICY),
        (
            "bounced", ANN, "spring",
            f"{POLICY} [sparkpost: policy_rejection/bounce_class 25]",
        ),
    ),
    (
        sparkpost("generation_failure", "gen_event", raw_reason="no such field"),
        ("bounced", ANN, "spring", f"{UNSENT}: no such field [sparkpost: generation_failure]"),
    ),
    (sparkpost("spam_complaint", fbtype="abuse"), ("complained", ANN, "spring", "")),
    (sparkpost("spam_complaint", fbtype="not-spam"), ("ignored", "spam_complaint")),
    (sparkpost("list_unsubscribe", "unsubscribe_event"), ("unsubscribed", ANN, "spring", "")),
    (sparkpost("link_unsubscribe", "unsubscribe_event"), ("unsubscribed", ANN, "spring", "")),
    (sparkpost("open", "track_event"), ("opened", ANN, "spring", "")),
    (sparkpost("initial_open", "track_event"), ("opened", ANN, "spring", "")),
    (sparkpost("open", "track_event", user_agent_parsed={"is_prefetched": True}), ("ignored", "open")),
    (sparkpost("open", "track_event", user_agent_parsed={"is_prefetched": False}), ("opened", ANN, "spring", "")),
    (sparkpost("click", "track_event"), ("ignored", "click")),
    (sparkpost("relay_delivery", "relay_event"), ("ignored", "relay_delivery")),
    ({"msys": {}}, ("ignored", "ping")),
    (sparkpost("teleported"), ("unknown",)),
    ({"other": 1}, ("broken",)),
]  # fmt: skip
ALL = [
    pytest.param(name, payload, expected, id=f"{name}-{n}")
    for name, table in (("sendgrid", SENDGRID), ("mailgun", MAILGUN), ("postmark", POSTMARK), ("sparkpost", SPARKPOST))
    for n, (payload, expected) in enumerate(table)
]


@pytest.mark.parametrize(("provider", "payload", "expected"), ALL)
def test_every_kind(provider: str, payload: dict[str, Any], expected: Row) -> None:
    assert outcomes(provider, payload) == [expected]


@pytest.mark.parametrize(("provider", "table"), [("sendgrid", SENDGRID), ("sparkpost", SPARKPOST)])
def test_a_batch_is_its_events_and_a_bad_one_stops_no_other(provider: str, table: list[tuple[Any, Row]]) -> None:
    assert outcomes(provider, [*(payload for payload, _ in table), "x"]) == [
        *(expected for _, expected in table),
        ("broken",),
    ]


@pytest.mark.parametrize(
    ("provider", "payload", "identity"),
    [
        ("sendgrid", sendgrid("processed"), None),
        ("mailgun", mailgun("accepted"), "2026-03-01:e1"),
        ("postmark", returned("HardBounce", 1), "Bounce:42"),
        ("postmark", postmark("Delivery", DeliveredAt=TIME), f"Delivery:883953f4:{ANN}:{TIME}"),
        ("sparkpost", failed("bounce", "10"), "9235"),
    ],
)
def test_ids_are_the_providers_where_they_stay_the_same(provider: str, payload: Any, identity: str | None) -> None:
    (found,) = items(provider, payload)
    assert isinstance(found, NormalizedResult)
    assert found.event_id == identity


def test_codes_and_servers_are_taken_where_they_are_told() -> None:
    (found,) = items("mailgun", MAILGUN[2][0])
    assert isinstance(found, NormalizedResult)
    assert (found.result.reply_code, found.result.status, found.result.remote_mta) == (550, "5.1.1", "mx.example.com")
    (found,) = items("mailgun", MAILGUN[4][0])
    assert isinstance(found, NormalizedResult)
    assert found.result.reply_code is None  # 605 is no reply code of SMTP
    (found,) = items("sparkpost", SPARKPOST[3][0])
    assert isinstance(found, NormalizedResult)
    assert (found.result.reply_code, found.result.remote_mta) == (550, "192.0.2.1")
