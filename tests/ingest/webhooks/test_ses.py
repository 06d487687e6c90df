"""SES, after the examples of
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html and
https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html
"""

import json
from typing import Any

import pytest

from returpost.bounces import ParsedMail
from returpost.bounces.events.mails import mailing_of
from returpost.bounces.providers import NormalizedResult
from tests.ingest.webhooks.builders import ANN, BOB, TIME, items, outcomes

STAMP = "2026-03-01T10:00:00.000Z"
MAIL = {
    "timestamp": STAMP,
    "messageId": "0100-aa-000000",
    "destination": [ANN],
    "commonHeaders": {"messageId": "<m1@example.org>"},
    "tags": {"ses:configuration-set": ["c"], "returpost_mailing": ["spring"]},
}
BOTH = MAIL | {"destination": [ANN, BOB]}
SPAM = {"complainedRecipients": [{"emailAddress": ANN}], "timestamp": STAMP, "feedbackId": "f2"}


def bounce(type_: str, subtype: str, *recipients: dict[str, str]) -> dict[str, Any]:
    told_of = list(recipients) or [
        {"emailAddress": ANN, "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 unknown"}
    ]
    inside = {"bounceType": type_, "bounceSubType": subtype, "bouncedRecipients": told_of, "timestamp": STAMP}
    return {"eventType": "Bounce", "mail": MAIL, "bounce": inside | {"feedbackId": "f1"}}


def event(kind: str, *, mail: dict[str, Any] = MAIL, **inside: Any) -> dict[str, Any]:
    return {"eventType": kind, "mail": mail} | inside


LISTED = "(suppressed)"
CASES: list[tuple[dict[str, Any], list[tuple[str, ...]]]] = [
    (bounce("Permanent", "General"), [("bounced", ANN, "spring", "smtp; 550 5.1.1 unknown [ses: Permanent/General]")]),
    (
        bounce("Transient", "MailboxFull", {"emailAddress": ANN}, {"emailAddress": f"Bob <{BOB}>"}),
        [("bounced", who, "spring", "[ses: Transient/MailboxFull]") for who in (ANN, BOB)],
    ),
    (
        bounce("Permanent", "OnAccountSuppressionList", {"emailAddress": ANN, "diagnosticCode": "on the list"}),
        [("bounced", ANN, "spring", f"{LISTED} [ses: Permanent/OnAccountSuppressionList]")],
    ),
    (
        event("Complaint", complaint=SPAM | {"complaintFeedbackType": "abuse", "complaintSubType": None}),
        [("complained", ANN, "spring", "")],
    ),
    (
        event("Complaint", complaint=SPAM | {"complaintSubType": "OnAccountSuppressionList"}),
        [("bounced", ANN, "spring", f"{LISTED} [ses: Complaint/OnAccountSuppressionList]")],
    ),
    (event("Complaint", complaint=SPAM | {"complaintFeedbackType": "not-spam"}), [("ignored", "not-spam")]),
    (
        event("Delivery", delivery={"timestamp": STAMP, "recipients": [ANN, BOB], "smtpResponse": "250 2.6.0 queued"}),
        [("delivered", who, "spring", "250 2.6.0 queued") for who in (ANN, BOB)],
    ),
    (event("Send", mail=BOTH, send={}), [("sent", ANN, "spring", ""), ("sent", BOB, "spring", "")]),
    (
        event("Reject", reject={"reason": "Bad content"}),
        [("bounced", ANN, "spring", "(not sent): Bad content [ses: Reject]")],
    ),
    (
        event("Rendering Failure", failure={"templateName": "t", "errorMessage": "no attribute"}),
        [("bounced", ANN, "spring", "(not sent): no attribute [ses: Rendering Failure]")],
    ),
    (
        event(
            "DeliveryDelay",
            deliveryDelay={
                "timestamp": STAMP,
                "delayType": "TransientCommunicationFailure",
                "delayedRecipients": [{"emailAddress": ANN, "status": "4.4.1", "diagnosticCode": "421 4.4.1 no"}],
            },
        ),
        [("deferred", ANN, "spring", "421 4.4.1 no [ses: TransientCommunicationFailure]")],
    ),
    (event("Open", open={"timestamp": STAMP}), [("opened", ANN, "spring", "")]),
    (event("Open", mail=BOTH, open={"timestamp": STAMP}), [("ignored", "Open of one among several")]),
    (event("Click", click={"timestamp": STAMP, "link": "http://x"}), [("ignored", "Click")]),
    (
        event("Subscription", subscription={"timestamp": STAMP, "newTopicPreferences": {"unsubscribeAll": True}}),
        [("unsubscribed", ANN, "spring", "")],
    ),
    (
        event("Subscription", subscription={"timestamp": STAMP, "newTopicPreferences": {"unsubscribeAll": False}}),
        [("ignored", "Subscription")],
    ),
    ({"notificationType": "AmazonSnsSubscriptionSucceeded"}, [("ignored", "AmazonSnsSubscriptionSucceeded")]),
    (event("Dream"), [("unknown",)]),
    (event("Bounce", bounce={"bouncedRecipients": []}), [("broken",)]),
    (event("Delivery", delivery={"timestamp": "soon", "recipients": [ANN]}), [("broken",)]),
    ({"Type": "UnsubscribeConfirmation"}, [("unknown",)]),
    ({"Type": "Notification", "Message": "hello"}, [("unknown",)]),
    (
        {"Type": "Notification", "Message": "Successfully validated SNS topic for Amazon SES event publishing."},
        [("ignored", "validated")],
    ),
]


@pytest.mark.parametrize(("payload", "expected"), CASES, ids=lambda value: str(value)[:40])
def test_every_kind(payload: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    assert outcomes("ses", payload) == expected


def test_the_envelope_of_sns_and_the_older_name_of_the_kind_change_nothing() -> None:
    plain = bounce("Permanent", "General")
    older = {"notificationType": plain.pop("eventType")} | plain
    assert (
        outcomes("ses", {"Type": "Notification", "Message": json.dumps(older)}) == outcomes("ses", older) == CASES[0][1]
    )


def test_what_comes_by_event_bridge() -> None:
    bridged = {"detail-type": "Email Bounced", "source": "aws.ses", "detail": bounce("Permanent", "General")}
    assert outcomes("ses", bridged) == outcomes("ses", SQS | {"Body": json.dumps(bridged)}) == CASES[0][1]


def test_one_bad_recipient_stops_no_other() -> None:
    payload = bounce("Permanent", "General", {"emailAddress": "nobody"}, {"emailAddress": BOB})
    assert [row[0] for row in outcomes("ses", payload)] == ["broken", "bounced"]


def test_what_else_is_taken() -> None:
    payload = bounce("Permanent", "General")
    (found,) = items("ses", payload)
    assert isinstance(found, NormalizedResult)
    assert (found.event_id, found.result.status, found.result.time.isoformat()) == (f"f1:{ANN}", "5.1.1", TIME)


def test_without_tags_the_message_is_the_mailing_as_for_returned_mails() -> None:
    untagged = MAIL | {"tags": {}}
    named = untagged | {"headers": [{"name": "X-Returpost-Mailing", "value": "summer"}]}
    same = mailing_of(ParsedMail(kind=None, format="rfc3464", original_message_id="m1@example.org"), "")
    for mail, mailing in ((untagged, same), (named, "summer")):
        ((_, _, seen, _),) = outcomes("ses", bounce("Permanent", "General") | {"mail": mail})
        assert seen == mailing


def enveloped(notification: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-north-1:1:t", "Message": json.dumps(notification)}


ONE, TWO = bounce("Permanent", "General"), event("Delivery", delivery={"timestamp": STAMP, "recipients": [ANN]})
TOLD_ONE = [("bounced", ANN, "spring", "smtp; 550 5.1.1 unknown [ses: Permanent/General]")]
TOLD_TWO = [("delivered", ANN, "spring", "")]
SQS = {"MessageId": "1", "ReceiptHandle": "r", "MD5OfBody": "m"}


@pytest.mark.parametrize(
    "form",
    [
        {"Messages": [SQS | {"Body": json.dumps(enveloped(ONE))}, SQS | {"Body": json.dumps(TWO)}]},
        {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(one)} for one in (enveloped(ONE), TWO)]},
        {"Records": [{"EventSource": "aws:sns", "Sns": enveloped(one)} for one in (ONE, TWO)]},
        [SQS | {"Body": json.dumps(one)} for one in (ONE, enveloped(TWO))],
    ],
    ids=["sqs", "lambda-sqs", "lambda-sns", "list"],
)
def test_the_forms_of_sqs_and_lambda(form: Any) -> None:
    assert outcomes("ses", form) == TOLD_ONE + TOLD_TWO
    first = items("ses", form)[0]
    assert isinstance(first, NormalizedResult)
    assert json.loads(first.original) in (ONE, enveloped(ONE))


def test_one_message_of_a_queue() -> None:
    assert outcomes("ses", SQS | {"Body": json.dumps(ONE)}) == TOLD_ONE


def test_what_stands_beside_a_signed_notification_counts_for_nothing() -> None:
    forged = enveloped(TWO) | {"Messages": [SQS | {"Body": json.dumps(ONE)}], "Records": [{"body": json.dumps(ONE)}]}
    assert outcomes("ses", forged) == TOLD_TWO


@pytest.mark.parametrize(
    "form", [{"Messages": [1, None, {}]}, {"Messages": {}}, {"Records": "x"}, {"Records": [{"body": "\ud800"}]}]
)
def test_a_form_that_is_broken_is_kept(form: Any) -> None:
    assert {row[0] for row in outcomes("ses", form)} <= {"broken", "unknown"}
    assert outcomes("ses", form)
