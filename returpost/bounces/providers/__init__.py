"""What providers say of deliveries: one module a provider, plain functions without I/O."""

from returpost.bounces.providers.clouds import azure, ses
from returpost.bounces.providers.normalized_result import Ignored as Ignored, NormalizedResult as NormalizedResult
from returpost.bounces.providers.payload import Provider as Provider, Unreadable as Unreadable, read as read
from returpost.bounces.providers.servers import kumomta, postal
from returpost.bounces.providers.services import (
    brevo,
    mailgun,
    mailjet,
    mandrill,
    postmark,
    resend,
    sendgrid,
    sparkpost,
)

PROVIDERS: dict[str, Provider] = {
    module.PROVIDER.name: module.PROVIDER
    for module in (
        ses, sendgrid, mailgun, postmark, sparkpost, mailjet, brevo, mandrill, resend, azure, postal, kumomta,
    )
}  # fmt: skip
"""Every provider, by the name in its path."""
