"""What webhooks are told: whose requests are believed. Each provider has the settings that its proof needs.

Secrets are lists by commas. `secret` is good for every tenant, `tenant=secret` for that one alone. As many at once as
are wanted, so that one can be replaced while the provider still uses the other.
"""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from pydantic import Field, SecretStr, ValidationError, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from returpost.bounces.providers import PROVIDERS, Provider
from returpost.bounces.providers.authentication import SnsSignature
from returpost.errors import InvalidSettings, words

PREFIX = "RETURPOST_INGEST_WEBHOOK_"
MIN_SECRET = 16
"""Characters; providers' own have 32 and more."""

_OF_TENANT = re.compile(r"([a-z0-9][a-z0-9-]{0,62})=(?=.*[^=])(.+)\Z")
"""Base64 may end in `=`, and what follows there is nothing."""


class WebhookSettings(BaseSettings):
    """Settings of webhooks, `RETURPOST_INGEST_WEBHOOK_...`, from the environment or from `RETURPOST_SECRETS_DIR`.

    Those of the providers are added by `webhook_settings`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    unsigned_tenants: str = ""
    """Tenants whose requests are taken without proof from providers for which no secret is set: for tests."""
    public_url: str = ""
    """Scheme and host as providers know them, which Mandrill signs: `https://mail.example.com`."""
    tolerance: timedelta = timedelta(seconds=300)
    """How far a signed time may be from ours (https://www.standardwebhooks.com)."""
    tokens_file: str = ""
    """File with the tokens that signatures have used up, shared by the processes of a machine; empty: each its own."""

    def secrets_for(self, provider: str, tenant: str) -> list[str]:
        """Return the secrets that prove a request of this provider for this tenant."""
        setting: SecretStr = self._of(provider, "secrets")
        return [secret for owner, secret in _owned(setting.get_secret_value()) if owner in (None, tenant)]

    def topics_for(self, provider: str, tenant: str) -> list[str]:
        """Return the topics that this tenant listens to."""
        return [topic for owner, topic in _owned(self._of(provider, "topics")) if owner in (None, tenant)]

    def roots_of(self, provider: str) -> str:
        """Return the file with the roots that certificates must lead to; empty: those of the provider."""
        return str(self._of(provider, "roots"))

    def max_age(self, provider: str) -> timedelta:
        """Return how old a signed time of this provider may be."""
        return cast("timedelta", self._of(provider, "max_age"))

    def allows_unsigned(self, tenant: str) -> bool:
        """Tell whether this tenant's requests are taken without proof when no secret is set."""
        return tenant in [name.strip() for name in self.unsigned_tenants.split(",")]

    def _of(self, provider: str, name: str) -> Any:
        return getattr(self, field_of(provider, name))


def field_of(provider: str, name: str) -> str:
    """Return the name of a provider's setting."""
    return f"{provider.replace('-', '_')}_{name}"


def _fields(provider: Provider) -> Iterator[tuple[str, tuple[Any, Any]]]:
    yield "secrets", (SecretStr, Field(SecretStr(""), description=f"{provider.title}. {provider.secrets}"))
    if max_age := getattr(provider.authentication, "max_age", None):
        text = f"{provider.title}: how old a signed time may be. What is sent again has the first signature."
        yield "max_age", (timedelta, Field(max_age, description=text))
    if isinstance(provider.authentication, SnsSignature):
        topics = "ARNs of the topics that are listened to, by commas, each for all tenants or `tenant=arn`"
        yield "topics", (str, Field("", description=f"{provider.title}. {topics}; then their signature is demanded."))
        roots = "File in PEM with the roots that the certificate of the topic must lead to, instead of the usual"
        yield "roots", (str, Field("", description=f"{provider.title}. {roots}."))


_OF_ALL: Any = create_model(
    "AllWebhookSettings",
    __base__=WebhookSettings,
    __module__=__name__,
    **cast("Any", {field_of(p.name, name): field for p in PROVIDERS.values() for name, field in _fields(p)}),
)


def webhook_settings(**given: Any) -> WebhookSettings:
    """Return the settings with those of all providers: `<provider>_secrets`, `..._max_age`, `..._topics`, `..._roots`.

    Raises `ValidationError`.
    """
    return cast("WebhookSettings", _OF_ALL(**given))


def load() -> WebhookSettings:
    """Read the settings. Raises `InvalidSettings` that names the variables, never their values."""
    folder = os.environ.get("RETURPOST_SECRETS_DIR")
    if folder and not Path(folder).is_dir():
        raise InvalidSettings(f"RETURPOST_SECRETS_DIR: {folder} is not a folder")
    try:
        settings = webhook_settings(_secrets_dir=folder)
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
