"""Codes of the second factor (TOTP, RFC 6238), recovery codes, and what is encrypted by the keys that sign tokens."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

import pyotp
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

ISSUER = "Returpost"
STEP_SECONDS = 30
DRIFT = 1
"""Steps that the clock of an app may be off (RFC 6238 section 5.2)."""
RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
CHALLENGE_SECONDS = 300
"""From the password to the code."""
_CODE = re.compile(r"[0-9]{6}\Z")


def new_secret() -> str:
    """Return a new secret of 160 bits, as an app takes it (RFC 4226 section 4)."""
    return pyotp.random_base32()


def uri(secret: str, name: str) -> str:
    """Return what the QR code of a secret says."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime, last_step: int) -> int | None:
    """Return the step whose code this is, of those behind the last one that was taken; nothing when it is wrong."""
    totp, step = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    found = None
    for near in range(step - DRIFT, step + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(near).encode(), code.encode()) and near > last_step:
            found = near
    return found


def plain(text: str) -> str:
    """Return a code as it was meant: people write spaces, hyphens and capitals."""
    return re.sub(r"[\s-]+", "", text).lower() if text.isascii() else ""


def is_code_of_app(code: str) -> bool:
    """Tell whether it may be the code of an app; else it may be a recovery code."""
    return bool(_CODE.match(code))


def recovery_codes() -> list[str]:
    """Return new recovery codes, each of 80 random bits in four groups."""
    codes = (base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES))
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in codes]


def recovery_hash(name: str, code: str) -> bytes:
    """Return what is stored of a recovery code."""
    return hashlib.sha256(f"{name}\x1f{plain(code)}".encode()).digest()


class Vault:
    """Encrypts with the first of the keys that sign tokens, and reads what any of them encrypted."""

    def __init__(self, keys: Sequence[str], purpose: str) -> None:
        derived = (hmac.digest(key.encode(), f"second factor: {purpose}".encode(), "sha256") for key in keys)
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(one)) for one in derived])

    def encrypt(self, text: str) -> bytes:
        """Return the text encrypted, with the time."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes, seconds: int | None = None) -> str | None:
        """Return the text; nothing when no key fits, or it is older than so many seconds."""
        try:
            return self._fernet.decrypt(data, ttl=seconds).decode()
        except InvalidToken:
            return None
