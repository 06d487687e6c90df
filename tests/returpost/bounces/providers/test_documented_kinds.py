"""Each provider's table of events has every kind that its documentation names."""

import pytest

from returpost.bounces.providers import PROVIDERS

DOCUMENTED = {
    # https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
    "ses": "Bounce Complaint Delivery Send Reject Open Click|Rendering Failure|DeliveryDelay Subscription",
    # https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
    "sendgrid": "processed dropped delivered deferred bounce blocked open click spamreport unsubscribe"
    " group_unsubscribe group_resubscribe account_status_change",
    # https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure and, of the legacy webhooks,
    # https://mailgun-docs.redoc.ly/docs/mailgun/user-manual/tracking-messages/
    "mailgun": "accepted rejected delivered failed opened clicked unsubscribed complained stored list_member_uploaded"
    " list_member_upload_error list_uploaded bounced dropped",
    # https://postmarkapp.com/developer/webhooks/webhooks-overview and .../developer/api/bounce-api#bounce-types
    "postmark": "Delivery Bounce SpamComplaint Open Click SubscriptionChange HardBounce Transient Unsubscribe Subscribe"
    " AutoResponder AddressChange DnsError SpamNotification OpenRelayTest Unknown SoftBounce VirusNotification"
    " ChallengeVerification BadEmailAddress ManuallyDeactivated Unconfirmed Blocked SMTPApiError InboundError"
    " DMARCPolicy TemplateRenderingFailed",
    # https://support.sparkpost.com/docs/tech-resources/webhook-event-reference
    "sparkpost": "bounce delivery injection spam_complaint out_of_band policy_rejection delay click open initial_open"
    " amp_click amp_open amp_initial_open generation_failure generation_rejection list_unsubscribe link_unsubscribe"
    " relay_injection relay_rejection relay_delivery relay_tempfail relay_permfail ab_test_completed"
    " ab_test_cancelled success error",
    # https://dev.mailjet.com/email/guides/webhooks/
    "mailjet": "sent open click bounce blocked spam unsub",
    # https://developers.brevo.com/docs/transactional-webhooks and .../docs/marketing-webhooks
    "brevo": "request delivered hard_bounce soft_bounce blocked spam invalid_email deferred click opened unique_opened"
    " unsubscribed error proxy_open unique_proxy_open list_addition contact_updated contact_deleted unsubscribe",
    # https://mailchimp.com/developer/transactional/docs/webhooks/
    "mandrill": "send deferral hard_bounce soft_bounce delivered open click spam unsub reject inbound",
    # https://resend.com/docs/webhooks/event-types
    "resend": "email.sent email.scheduled email.delivered email.delivery_delayed email.complained email.bounced"
    " email.opened email.clicked email.received email.failed email.suppressed contact.created contact.updated"
    " contact.deleted domain.created domain.updated domain.deleted suppression.added suppression.removed",
    # https://learn.microsoft.com/azure/event-grid/communication-services-email-events
    "azure": "Microsoft.Communication.EmailDeliveryReportReceived"
    " Microsoft.Communication.EmailEngagementTrackingReportReceived Delivered Suppressed Bounced Quarantined"
    " FilteredSpam Expanded Failed OutForDelivery",
    # https://docs.postalserver.io/developer/webhooks
    "postal": "MessageSent MessageDelayed MessageDeliveryFailed MessageHeld MessageBounced MessageLinkClicked"
    " MessageLoaded DomainDNSError",
    # https://docs.kumomta.com/reference/log_record/
    "kumomta": "Reception Delivery Bounce TransientFailure Expiration AdminBounce OOB Feedback Rejection Delayed"
    " XferOut XferIn AdminRebind DeferredInjectionRebind",
    # https://developers.mailersend.com/api/v1/webhooks.html
    "mailersend": "activity.sent activity.delivered activity.soft_bounced activity.hard_bounced activity.deferred"
    " activity.opened activity.opened_unique activity.clicked activity.clicked_unique activity.unsubscribed"
    " activity.spam_complaint activity.survey_opened activity.survey_submitted sender_identity.verified"
    " maintenance.start maintenance.end inbound_forward.failed email_single.verified email_list.verified"
    " bulk_email.completed",
    # https://docs.mailtrap.io/email-api-smtp/advanced/webhooks
    "mailtrap": "delivery|soft bounce|bounce suspension unsubscribe open spam click reject",
    # https://godocs.unisender.ru/web-api-ref#webhook-format
    "unisender-go": "transactional_email_status transactional_spam_block sent delivered opened hard_bounced"
    " soft_bounced spam clicked unsubscribed",
    # https://docs.lettermint.co/platform/webhooks/events
    "lettermint": "message.created message.sent message.delivered message.hard_bounced message.soft_bounced"
    " message.spam_complaint message.failed message.suppressed message.unsubscribed message.opened message.clicked"
    " message.inbound message.policy_rejected message.auto_replied message.scheduled message.rescheduled"
    " message.canceled message.released suppression.added suppression.removed webhook.test",
    # https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads/
    "scaleway": "unknown_type email_queued email_dropped email_deferred email_delivered email_spam"
    " email_mailbox_not_found email_blocklisted blocklist_created",
    # https://developers.cloudflare.com/email-service/reference/event-subscriptions/
    "cloudflare": "message.delivered message.deferred message.bounced message.failed message.rejected"
    " message.complained",
}
"""Kinds by blanks; by `|` on both sides where a kind has a blank in it."""


def kinds(text: str) -> set[str]:
    parts = text.split("|")
    spaced = parts[1::2]
    return {kind for part in parts[::2] for kind in part.split()} | set(spaced)


def test_every_provider_is_listed() -> None:
    assert set(DOCUMENTED) == set(PROVIDERS)


@pytest.mark.parametrize("provider", sorted(DOCUMENTED))
def test_table_has_every_documented_kind(provider: str) -> None:
    assert kinds(DOCUMENTED[provider]) - set(PROVIDERS[provider].kinds) == set()


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_declaration_is_complete(provider: str) -> None:
    declared = PROVIDERS[provider]
    assert declared.title
    assert declared.documentation.startswith("https://")
    assert declared.secrets.endswith(".")
