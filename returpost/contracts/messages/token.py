"""API tokens: when one is no longer good before its time."""

from typing import ClassVar

from returpost.contracts.messages.fields import Contract, Id, Time


class TokenRevoked(Contract):
    """A token, or the session of somebody who signed out or was shut out, is refused from now on.

    It is said again once a day until the token would have ended by itself.
    """

    TYPE: ClassVar[str] = "returpost.token.revoked.v1"

    token: Id
    """Its id, `jti` of the token; who has it knows nothing else of the token."""
    expires_at: Time
