"""Signatures by Standard Webhooks, which receivers have libraries for.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification wants 24 to 64."""


def new_secret() -> str:
    """Return a secret as receivers are given it: base64 after a prefix that tells what it is."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(id_: str, timestamp: int, body: bytes, secret_texts: Sequence[str]) -> dict[str, str]:
    """Return the headers that prove a message: a signature by each secret, so that one can take over from another.

    `timestamp` is in seconds since 1970, of the attempt.
    """
    time, text = datetime.fromtimestamp(timestamp, UTC), body.decode()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(Webhook(secret).sign(id_, time, text) for secret in secret_texts),
    }
