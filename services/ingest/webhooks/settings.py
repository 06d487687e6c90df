"""What webhooks are told: whose requests are believed.

Secrets are lists by commas. `secret` is good for every tenant, `tenant=secret` for that one alone. As many at once as
are wanted, so that one can be replaced while the provider still uses the other.
"""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from returpost.errors import InvalidSettings, words

PREFIX = "RETURPOST_INGEST_WEBHOOK_"
MIN_SECRET = 16
"""Characters; providers' own have 32 and more."""

_OF_TENANT = re.compile(r"([a-z0-9][a-z0-9-]{0,62})=(?=.*[^=])(.+)\Z")
"""Base64 may end in `=`, and what follows there is nothing."""


class WebhookSettings(BaseSettings):
    """Settings of webhooks, `RETURPOST_INGEST_WEBHOOK_...`, from the environment or from `RETURPOST_SECRETS_DIR`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    ses_secrets: SecretStr = SecretStr("")
    """Demanded of every request besides what SNS signs; raw messages have no other proof."""
    sendgrid_secrets: SecretStr = SecretStr("")
    """Verification keys as SendGrid shows them, or shared secrets."""
    mailgun_secrets: SecretStr = SecretStr("")
    """HTTP webhook signing keys."""
    postmark_secrets: SecretStr = SecretStr("")
    sparkpost_secrets: SecretStr = SecretStr("")
    mailjet_secrets: SecretStr = SecretStr("")
    brevo_secrets: SecretStr = SecretStr("")
    mandrill_secrets: SecretStr = SecretStr("")
    """Webhook keys, or shared secrets as for the others."""
    resend_secrets: SecretStr = SecretStr("")
    """Signing secrets, `whsec_...`."""
    azure_secrets: SecretStr = SecretStr("")
    postal_secrets: SecretStr = SecretStr("")
    """Public keys, the Base64 after `p=` in the DKIM record of the Postal server, or shared secrets."""
    kumomta_secrets: SecretStr = SecretStr("")
    ses_topics: str = ""
    """ARNs of the SNS topics that are listened to, by commas, each for all tenants or `tenant=arn`; then the
    signature of SNS is demanded."""
    ses_roots: str = ""
    """File in PEM with the roots that the certificate of SNS must lead to, instead of Amazon's own."""
    unsigned_tenants: str = ""
    """Tenants whose requests are taken without proof from providers for which no secret is set: for tests."""
    public_url: str = ""
    """Scheme and host as providers know them, which Mandrill signs: `https://mail.example.com`."""
    tolerance: timedelta = timedelta(seconds=300)
    """How far a signed time may be from ours (https://www.standardwebhooks.com)."""
    mailgun_max_age: timedelta = timedelta(hours=9)
    """Mailgun tries for 8 hours and is known to send the first signature again: a shorter age would lose events."""
    sendgrid_max_age: timedelta = timedelta(hours=25)
    """SendGrid tries for 24 hours, and does not say that it signs again."""
    ses_max_age: timedelta = timedelta(hours=2)
    """SNS signs when a message is published, and tries for up to an hour."""

    def secrets_for(self, provider: str, tenant: str) -> list[str]:
        """Return the secrets that prove a request of this provider for this tenant."""
        setting: SecretStr = getattr(self, f"{provider}_secrets")
        return [secret for owner, secret in _owned(setting.get_secret_value()) if owner in (None, tenant)]

    def topics_for(self, tenant: str) -> list[str]:
        """Return the SNS topics that this tenant listens to."""
        return [topic for owner, topic in _owned(self.ses_topics) if owner in (None, tenant)]

    def allows_unsigned(self, tenant: str) -> bool:
        """Tell whether this tenant's requests are taken without proof when no secret is set."""
        return tenant in [name.strip() for name in self.unsigned_tenants.split(",")]


def load() -> WebhookSettings:
    """Read the settings. Raises `InvalidSettings` that names the variables, never their values."""
    folder = os.environ.get("RETURPOST_SECRETS_DIR")
    if folder and not Path(folder).is_dir():
        raise InvalidSettings(f"RETURPOST_SECRETS_DIR: {folder} is not a folder")
    try:
        settings = WebhookSettings(_secrets_dir=folder)
    except ValidationError as error:
        problems = "; ".join(f"{PREFIX}{str(item['loc'][0]).upper()}: {words(item)}" for item in error.errors())
        raise InvalidSettings(problems) from None
    for name, value in settings:
        if isinstance(value, SecretStr) and any(len(s) < MIN_SECRET for _, s in _owned(value.get_secret_value())):
            raise InvalidSettings(f"{PREFIX}{name.upper()}: each secret has at least {MIN_SECRET} characters")
    return settings


def _owned(setting: str) -> Iterator[tuple[str | None, str]]:
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        named = _OF_TENANT.match(entry)
        yield (named[1], named[2]) if named else (None, entry)
