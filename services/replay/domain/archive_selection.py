"""Which events of the archive an operator looks for, and which are sent to a queue again."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from returpost.contracts import Address, Id, Name
from returpost.contracts.addresses import key
from services.replay.domain.selection import BOUND_KEYS, EventType
from services.replay.domain.trace import Subject, addresses_of
from shared.messaging.topology import binding_matches

_PURPOSE = b"returpost archive selection"

AddressTest = Callable[[str], bool]
"""Tells whether an address is the one that is looked for."""


class ArchiveFilter(BaseModel):
    """Events of the archive: all conditions must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: AwareDatetime
    until: AwareDatetime
    type: EventType | None = None
    tenant: Name | None = None
    mailing: Id | None = None
    address: Address | None = None
    event: Id | None = None
    """Id of the event."""

    @model_validator(mode="after")
    def _times(self) -> Self:
        if self.since >= self.until:
            raise ValueError("since must be before until")
        return self

    def needle(self) -> bytes | None:
        """Return bytes that every message with a selected event has, in lower case; None where none are certain."""
        return next((found for one in self._subjects() if (found := one.needle())), None)

    def _subjects(self) -> list[Subject]:
        return [Subject(event=self.event), Subject(address=self.address), Subject(mailing=self.mailing)]

    def address_test(self, keys: Sequence[str]) -> AddressTest | None:
        """Return how the address is recognised; None when any will do."""
        if self.address is None:
            return None
        wanted = key(self.address)
        return lambda address: key(address) == wanted

    def matches(self, event: dict[str, Any], routing_key: str, is_address: AddressTest | None = None) -> bool:
        """Tell whether an event is selected. Of a tenant is what says so and was published for it."""
        if self.type not in (None, event.get("type")) or self.event not in (None, event.get("id")):
            return False
        if self.tenant is not None and not self.tenant == event.get("tenant") == tenant_of(routing_key):
            return False
        moment = time_of(event)
        if moment is None or not self.since <= moment < self.until:
            return False
        data = event.get("data")
        data = data if isinstance(data, dict) else {}
        if self.mailing not in (None, data.get("mailing")):
            return False
        return is_address is None or any(map(is_address, addresses_of(data)))


class ArchiveSelection(ArchiveFilter):
    """Events of one type, and the queue that they are sent to again."""

    type: EventType
    into: str

    @model_validator(mode="after")
    def _taken(self) -> Self:
        noun_verb = self.type.removeprefix("returpost.").rpartition(".")[0]
        takers = sorted(
            name for name, keys in BOUND_KEYS.items() if any(key.startswith(f"{noun_verb}.") for key in keys)
        )
        if self.into not in takers:
            raise ValueError(
                f"into: no such queue, or it does not take {self.type}; allowed: {', '.join(takers) or 'none'}"
            )
        return self

    def matches(self, event: dict[str, Any], routing_key: str, is_address: AddressTest | None = None) -> bool:
        """Tell whether an event is selected, and its routing key is bound to the queue."""
        bound = any(binding_matches(pattern, routing_key) for pattern in BOUND_KEYS[self.into])
        return bound and super().matches(event, routing_key, is_address)


class KeptSelection(ArchiveSelection):
    """A selection as a job keeps it: of an address its keyed hash alone, since jobs outlive erasures."""

    address: Literal[None] = None
    address_hash: str | None = None

    @classmethod
    def of(cls, selection: ArchiveSelection, secret: str) -> "KeptSelection":
        """Return what is kept of a selection; the address is hashed with the secret."""
        hashed = _hash(selection.address, secret) if selection.address else None
        return cls.model_validate({**selection.model_dump(exclude={"address"}), "address_hash": hashed})

    def address_test(self, keys: Sequence[str]) -> AddressTest | None:
        """Return how the address is recognised, with whichever of the keys it was hashed."""
        if self.address_hash is None:
            return None
        return lambda address: self.address_hash in {_hash(address, secret) for secret in keys}


def _hash(address: str, secret: str) -> str:
    purpose = hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).digest()
    return hmac.new(purpose, key(address).encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def tenant_of(routing_key: str) -> str | None:
    """Return the tenant that a routing key names: the broker holds its sender to that."""
    parts = routing_key.split(".")
    return parts[2] if len(parts) > 2 else None


def time_of(event: dict[str, Any]) -> datetime | None:
    """Return the time of an event, or None when it has none with an offset."""
    try:
        moment = datetime.fromisoformat(str(event.get("time")))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
