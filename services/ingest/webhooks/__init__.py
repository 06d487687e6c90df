"""What providers post to `/webhooks/{provider}/{tenant}`: one module a provider, plain functions without I/O."""

from services.ingest.webhooks import (
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
from services.ingest.webhooks.found import Found as Found, Ignored as Ignored
from services.ingest.webhooks.reading import Kept as Kept, Provider as Provider, read as read

PROVIDERS: dict[str, Provider] = {
    module.PROVIDER.name: module.PROVIDER
    for module in (
        ses, sendgrid, mailgun, postmark, sparkpost, mailjet, brevo, mandrill, resend, azure, postal, kumomta,
    )
}  # fmt: skip
"""Every provider, by the name in its path."""
