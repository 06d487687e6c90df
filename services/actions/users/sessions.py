"""Sessions: begun by a proof of who a user is, renewed while the user works."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from fastapi import Request
from pydantic import BaseModel

from returpost.contracts.enums import Role
from services.actions.users import repository
from services.actions.users.attempts import FORGET_AFTER
from services.actions.users.repository import Language, Token, User
from shared.http.auth import SCOPES_OF_ROLE, issue

SESSION_LIFETIME = timedelta(minutes=30)
"""Of a session's token; the console renews it while somebody works with it."""
MAX_SESSION = timedelta(hours=12)
"""After which a user has to sign in again."""
TOKENS_KEPT = timedelta(days=90)
"""How long tokens that have expired are kept."""


class Session(BaseModel):
    """A session's token, and whose it is."""

    name: str
    tenant: str
    home: str
    role: Role
    language: Language | None
    token: str
    expires_at: datetime
    scopes: list[str]


async def open_session(request: Request, user: User, now: datetime) -> Session:
    """Begin a session of a user who has proved who it is."""
    identity, scopes, pool = uuid4(), SCOPES_OF_ROLE[user.role], request.app.state.service.pool
    end = now + SESSION_LIFETIME
    await repository.add_token(pool, Token(identity, "session", user.tenant, user.name, scopes, user.name, now, end))
    await repository.delete_expired_tokens(pool, now - TOKENS_KEPT)
    await repository.delete_old_attempts(pool, now - FORGET_AFTER)
    return _session(request, user, identity, end)


async def renew_session(request: Request, user: User, token: Token, now: datetime) -> Session | None:
    """Return the session with a later end and the user's role of now; nothing when it has lasted too long."""
    end = min(now + SESSION_LIFETIME, token.issued_at + MAX_SESSION)
    if end <= now:
        return None
    await repository.extend_token(request.app.state.service.pool, token.id, end, SCOPES_OF_ROLE[user.role])
    return _session(request, user, token.id, end)


def _session(request: Request, user: User, identity: UUID, end: datetime) -> Session:
    scopes = SCOPES_OF_ROLE[user.role]
    token = issue(
        signing_key(request),
        name=user.name,
        tenant=user.tenant,
        scopes=scopes,
        lifetime=end - datetime.now(UTC),
        identity=str(identity),
    )
    return Session(
        name=user.name, tenant=user.tenant, home=user.home, role=user.role, language=user.language, token=token,
        expires_at=end, scopes=list(scopes),
    )  # fmt: skip


def signing_key(request: Request) -> str:
    """Return the key that new tokens are signed with."""
    return str(request.app.state.token_keys[0])
