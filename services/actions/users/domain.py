"""Users: their names, their passwords (argon2id, RFC 9106), and how long a guesser has to wait."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from returpost.errors import InvalidMessage
from services.actions.users.guessable import MIN_STRENGTH, strength

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}\Z")
MIN_PASSWORD, MAX_PASSWORD = 12, 200
"""NIST SP 800-63B section 5.1.1.2 wants 8 at least, and no common ones."""
FREE_TRIES = 5
"""Wrong passwords of one name after which the next has to wait."""
FREE_TRIES_OF_ADDRESS = 50
"""The same of one address, which may be that of a whole office."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=15)

_hasher = PasswordHasher()
_NOBODY = _hasher.hash("nobody has this password")
"""What a name that does not exist is checked against, so that the answer takes as long."""


def name_of(text: str) -> str:
    """Return a user's name as it is stored. Raises `InvalidMessage`."""
    name = folded(text)
    if not NAME.match(name):
        raise InvalidMessage("name: letters a to z, digits and . _ @ + -, up to 100, beginning with a letter or digit")
    return name


def folded(text: str) -> str:
    """Return a name that is ASCII in small letters, another as it is: KELVIN SIGN in small letters is a k."""
    return text.strip().lower() if text.isascii() else text


def hashed(password: str, known: Sequence[str] = ()) -> str:
    """Return the hash of a new password; takes about 50 ms. `known` are words that belong to the user.

    Raises `InvalidMessage` when it is too short or long, or among what a guesser tries first.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InvalidMessage(f"password: {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if strength(password, known) < MIN_STRENGTH:
        raise InvalidMessage("password: too easy to guess; use several words that have nothing to do with each other")
    return _hasher.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Tell whether the password is the user's; takes as long when there is none."""
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def rehashed(password: str, password_hash: str) -> str | None:
    """Return a new hash when the old one was made with weaker parameters."""
    return _hasher.hash(password) if _hasher.check_needs_rehash(password_hash) else None


def wait(failures: int, failed_at: datetime | None, now: datetime, free: int = FREE_TRIES) -> timedelta:
    """Return how long no further password is taken: some are free, then the wait doubles up to 15 minutes."""
    if failed_at is None or failures < free:
        return timedelta(0)
    pause = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - free, 12))
    left: timedelta = failed_at + pause - now
    return max(timedelta(0), left)
