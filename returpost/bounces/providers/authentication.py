"""How providers prove that a request is their own: declarations, one a provider. Checking them is for who receives.

A provider's module names one of these; a receiver (`services.ingest.webhooks.authentication`) knows how each is
verified. Header names are in lower case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A secret that the provider was given and sends along: by basic authentication, as a bearer token or in the
    header X-Webhook-Secret.
    """

    query: str | None = None
    """A parameter of the address that may carry it as well."""


SHARED_SECRET = SharedSecret()


@dataclass(frozen=True, slots=True)
class StandardWebhooks:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""


@dataclass(frozen=True, slots=True)
class BodyHmac:
    """HMAC-SHA256 in hexadecimal digits over the raw body.

    `timed`: the header is `t=<seconds>,v1=<digits>`, and `<seconds>.<body>` is what was signed.
    """

    header: str
    timed: bool = False


@dataclass(frozen=True, slots=True)
class TokenHmac:
    """HMAC-SHA256 over a time and a token that lie in the body, each token used once."""

    fields: Callable[[bytes], Any]
    """Returns the object that holds `timestamp`, `token` and `signature`."""
    max_age: timedelta
    """How old the time may be: providers that try again send the first signature again."""


@dataclass(frozen=True, slots=True)
class FormHmac:
    """HMAC-SHA1 in Base64 over the public address and the sorted fields of a form; else a shared secret."""

    header: str


@dataclass(frozen=True, slots=True)
class BodyMd5:
    """MD5 over the body as it was before its hash was put in the place of the secret.

    `field` is the name of the JSON field that holds the hash.
    """

    field: str


@dataclass(frozen=True, slots=True)
class EcdsaSignature:
    """ECDSA with SHA-256 over time and body, by a public key; else a shared secret."""

    header: str
    time_header: str
    max_age: timedelta


@dataclass(frozen=True, slots=True)
class RsaSignature:
    """RSA over the body, by a public key; else a shared secret. No time is signed."""

    sha256_header: str
    sha1_header: str


@dataclass(frozen=True, slots=True)
class SnsSignature:
    """The signature of an SNS topic, by a certificate that its service publishes; a secret besides, if one is set.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    """

    max_age: timedelta
    service: str
    """RE2 of the addresses of the service itself, which alone may be visited to confirm a subscription."""
    certificates: str
    """RE2 of the addresses where its certificates are."""
    names: Callable[[str], Sequence[str]]
    """Returns the names that the certificate at an address may have."""
    issuers: str
    """RE2 of the addresses where the certificates of its issuers are; empty: nowhere."""
    roots: str
    """RE2 of the names of the roots that certificates lead to; empty: any that browsers trust."""


Authentication = (
    SharedSecret
    | StandardWebhooks
    | BodyHmac
    | TokenHmac
    | FormHmac
    | BodyMd5
    | EcdsaSignature
    | RsaSignature
    | SnsSignature
)
