"""Whether a code is the user's, and is taken for the first time."""

from datetime import datetime

from fastapi import Request

from services.actions.users.second_factor import domain, repository
from services.actions.users.second_factor.domain import Vault
from services.actions.users.second_factor.repository import SecondFactor


def vault(request: Request, purpose: str) -> Vault:
    """Return what encrypts for a purpose."""
    return Vault(request.app.state.token_keys, purpose)


def secrets_of(request: Request) -> Vault:
    """Return what encrypts the secrets of apps."""
    return vault(request, "secret")


async def in_use(request: Request, name: str) -> SecondFactor | None:
    """Return the second factor that a user has to show."""
    found = await repository.find(request.app.state.service.pool, name)
    return found if found is not None and found.confirmed_at is not None else None


async def take(request: Request, name: str, factor: SecondFactor, text: str, now: datetime) -> bool:
    """Take a code of the app or a recovery code, once; false when it is wrong or was taken before."""
    pool, code = request.app.state.service.pool, domain.plain(text)
    if not domain.is_code_of_app(code):
        return await repository.take_recovery_code(pool, name, domain.recovery_hash(name, code))
    box = secrets_of(request)
    secret = box.decrypt(factor.secret)
    step = None if secret is None else domain.step_of(secret, code, now, factor.last_step)
    if secret is None or step is None:
        return False
    return await repository.take_step(pool, name, step, box.encrypt(secret))


def challenge_for(request: Request, name: str) -> str:
    """Return what says that a user has given the password just now."""
    return vault(request, "challenge").encrypt(name).decode()


def challenged(request: Request, challenge: str) -> str | None:
    """Return whom a challenge was made for; nothing when it is none of ours, or too old."""
    if not challenge.isascii():
        return None
    return vault(request, "challenge").decrypt(challenge.encode(), domain.CHALLENGE_SECONDS)
