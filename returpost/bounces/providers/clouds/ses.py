"""Amazon SES, through SNS or as it publishes its events.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (event publishing)
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html (feedback notifications)
https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html (the envelope)
https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html (another)
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from returpost.bounces.providers.authentication import SnsSignature
from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Ignored,
    Item,
    UnknownKind,
    addresses,
    inner,
    known_kind,
    normalized,
    objects,
    text_of,
)
from returpost.bounces.providers.payload import Provider, elements
from returpost.contracts import Result
from returpost.errors import InvalidMessage

_KINDS: dict[str, Result | None] = {
    "Send": Result.SENT,
    "Delivery": Result.DELIVERED,
    "DeliveryDelay": Result.DEFERRED,
    "Bounce": Result.BOUNCED,
    "Reject": Result.BOUNCED,
    "Rendering Failure": Result.BOUNCED,
    "Complaint": Result.COMPLAINED,
    "Open": Result.OPENED,
    "Subscription": Result.UNSUBSCRIBED,
    "Click": None,
    "Received": None,
    "AmazonSnsSubscriptionSucceeded": None,
}
_SUPPRESSIONS = ("Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient")


def read(event: Event) -> Iterator[Item]:
    """Yield what one notification says of each of its recipients. EventBridge wraps it in one of its own."""
    if event.get("Type") == "SubscriptionConfirmation":
        yield Ignored("SubscriptionConfirmation")
        return
    if event.get("Type") == "UnsubscribeConfirmation":
        raise UnknownKind("kind: UnsubscribeConfirmation, so SNS sends no more; subscribe again if that is not meant")
    if event.get("Type") == "Notification":
        message = text_of(event.get("Message"))
        if message.startswith("Successfully validated SNS topic"):
            yield Ignored("validated")
            return
        event = _unwrapped(message)
    if event.get("source") == "aws.ses" and isinstance(event.get("detail"), dict):
        event = event["detail"]
    kind = event.get("eventType") or event.get("notificationType")
    if known_kind(_KINDS, kind) is None:
        yield Ignored(str(kind))
        return
    yield from _READERS[str(kind)](event)


def _unwrapped(message: str) -> Event:
    try:
        inside = json.loads(message)
    except (ValueError, RecursionError):
        raise UnknownKind("kind: the notification carries no JSON, so it is none of SES") from None
    if not isinstance(inside, dict):
        raise UnknownKind("kind: the notification carries no object, so it is none of SES")
    return inside


def _bounce(event: Event) -> Iterator[Item]:
    bounce = event.get("bounce")
    codes = [inner(bounce, "bounceType"), inner(bounce, "bounceSubType")]
    suppressed = text_of(codes[1]) in _SUPPRESSIONS
    for recipient in objects(inner(bounce, "bouncedRecipients")):
        text = recipient.get("diagnosticCode")
        yield _found(
            event,
            recipient.get("emailAddress"),
            Result.BOUNCED,
            inner(bounce, "timestamp"),
            inner(bounce, "feedbackId"),
            text=text,
            suppressed=suppressed,
            status=recipient.get("status"),
            remote_mta=inner(bounce, "remoteMtaIp"),
            codes=codes,
        )


def _complaint(event: Event) -> Iterator[Item]:
    """Yield complaints. One that is only on the suppression list was never mailed, and is no new complaint."""
    complaint = event.get("complaint")
    feedback = text_of(inner(complaint, "complaintFeedbackType"))
    echo = text_of(inner(complaint, "complaintSubType")) in _SUPPRESSIONS
    if feedback == "not-spam":
        yield Ignored(feedback)
        return
    for recipient in objects(inner(complaint, "complainedRecipients")):
        yield _found(
            event,
            recipient.get("emailAddress"),
            Result.BOUNCED if echo else Result.COMPLAINED,
            inner(complaint, "timestamp"),
            inner(complaint, "feedbackId"),
            suppressed=echo,
            codes=["Complaint", inner(complaint, "complaintSubType")] if echo else [],
            feedback_type=None if echo else feedback,
        )


def _delivery(event: Event) -> Iterator[Item]:
    delivery = event.get("delivery")
    for address in addresses(inner(delivery, "recipients")):
        yield _found(
            event,
            address,
            Result.DELIVERED,
            inner(delivery, "timestamp"),
            text=inner(delivery, "smtpResponse"),
            remote_mta=inner(delivery, "remoteMtaIp"),
        )


def _delay(event: Event) -> Iterator[Item]:
    delay = event.get("deliveryDelay")
    for recipient in objects(inner(delay, "delayedRecipients")):
        yield _found(
            event,
            recipient.get("emailAddress"),
            Result.DEFERRED,
            inner(delay, "timestamp"),
            text=recipient.get("diagnosticCode"),
            status=recipient.get("status"),
            codes=[inner(delay, "delayType")],
        )


def _send(event: Event) -> Iterator[Item]:
    for address in addresses(inner(event, "mail", "destination")):
        yield _found(event, address, Result.SENT, inner(event, "mail", "timestamp"))


def _not_sent(event: Event) -> Iterator[Item]:
    reason = text_of(inner(event, "reject", "reason") or inner(event, "failure", "errorMessage"))
    for address in addresses(inner(event, "mail", "destination")):
        yield _found(
            event,
            address,
            Result.BOUNCED,
            inner(event, "mail", "timestamp"),
            text=reason,
            codes=[event.get("eventType"), NOT_SENT],
        )


def _open(event: Event) -> Iterator[Item]:
    """Yield an open when it is told whose it is: the event names all recipients of the message."""
    recipients = addresses(inner(event, "mail", "destination"))
    if len(recipients) > 1:
        yield Ignored("Open of one among several")
        return
    yield _found(event, recipients[0], Result.OPENED, inner(event, "open", "timestamp"))


def _subscription(event: Event) -> Iterator[Item]:
    subscription = event.get("subscription")
    if inner(subscription, "newTopicPreferences", "unsubscribeAll") is not True:
        yield Ignored("Subscription")
        return
    recipients = addresses(inner(event, "mail", "destination"))
    if len(recipients) > 1:
        raise InvalidMessage("mail.destination: several, and nothing tells who has unsubscribed")
    yield _found(event, recipients[0], Result.UNSUBSCRIBED, inner(subscription, "timestamp"))


_READERS = {
    "Send": _send,
    "Delivery": _delivery,
    "DeliveryDelay": _delay,
    "Bounce": _bounce,
    "Reject": _not_sent,
    "Rendering Failure": _not_sent,
    "Complaint": _complaint,
    "Open": _open,
    "Subscription": _subscription,
}


def _found(event: Event, address: Any, result: Result, time: Any, feedback_id: Any = None, **more: Any) -> Item:
    mail = event.get("mail")
    kind = event.get("eventType") or event.get("notificationType")
    identity = feedback_id or f"{text_of(inner(mail, 'messageId'))}:{kind}:{text_of(time)}"
    headers = inner(mail, "headers")
    named = {entry.get("name"): entry.get("value") for entry in headers or [] if isinstance(entry, dict)}
    tags = inner(mail, "tags") or {}
    return normalized(
        f"{identity}:{text_of(address)}",
        address,
        result,
        time,
        meta=named | tags if isinstance(tags, dict) else named,
        message_id=inner(mail, "commonHeaders", "messageId") or inner(mail, "messageId"),
        **more,
    )


def messages(body: bytes) -> Iterable[bytes]:
    """Cut a request into notifications: what SNS posts, or the form of SQS, as it is received or as Lambda hands it on.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html and with-sns.html
    """
    if b'"Messages"' not in body and b'"Records"' not in body and b'"ReceiptHandle"' not in body:
        return elements(body)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return [body]
    if isinstance(value, dict):
        if "TopicArn" in value:  # of SNS: what it has signed is all that counts of it
            return [body]
        value = value.get("Messages") or value.get("Records") or [value]
    return [_body_of(entry) for entry in value] if isinstance(value, list) else [body]


def _body_of(entry: Any) -> bytes:
    """Return the notification that a message of SQS or a record of Lambda carries."""
    inside = inner(entry, "Body") or inner(entry, "body") or inner(entry, "Sns")
    text = inside if isinstance(inside, str) else json.dumps(inside or entry)
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()


def certificate_names(url: str) -> list[str]:
    """Return the names that the certificate at this address of SNS may have.

    Most regions share one; those that have to be enabled, China and the government of the United States have their own:
    https://github.com/aws/aws-sdk-java-v2/tree/master/services-custom/sns-message-manager
    """
    host = urlsplit(url).hostname or ""
    region, _, domain = host.removeprefix("sns.").partition(".")
    own = [f"sns-signing.{region}.{domain}", f"sns-{region}.{domain}", host]
    if region.startswith("us-gov-"):
        return ["sns-us-gov-west-1.amazonaws.com", *own]
    return own if domain.endswith(".cn") else ["sns.amazonaws.com", *own]


PROVIDER = Provider(
    title="Amazon SES",
    documentation="https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html",
    kinds=_KINDS,
    read=read,
    split=messages,
    authentication=SnsSignature(
        max_age=timedelta(hours=2),  # signed when it is published, and tried for up to an hour
        service=r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?/[^\s@]*",
        certificates=r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?/[^\s@]*\.pem",
        names=certificate_names,
        issuers=r"https?://[a-z0-9.-]+\.amazontrust\.com/[A-Za-z0-9._/-]+",
        roots=r"CN=(Amazon Root CA \d|Starfield Services Root Certificate Authority - G2),",
    ),
    secrets="Demanded of every request besides what SNS signs; raw messages have no other proof.",
)
