"""What providers say of deliveries: one module a provider, plain functions without I/O."""

from returpost.bounces.providers import (
    azure,
    brevo,
    kumomta,
    mailgun,
    mailjet,
    mandrill,
    postal,
    postmark,
    resend,
    sendgrid,
    ses,
    sparkpost,
)
from returpost.bounces.providers.normalized_result import Found as Found, Ignored as Ignored
from returpost.bounces.providers.payload import Kept as Kept, Provider as Provider, read as read

PROVIDERS: dict[str, Provider] = {
    module.PROVIDER.name: module.PROVIDER
    for module in (
        ses, sendgrid, mailgun, postmark, sparkpost, mailjet, brevo, mandrill, resend, azure, postal, kumomta,
    )
}  # fmt: skip
"""Every provider, by the name in its path."""
