"""The one rule for what comes late: an event is dropped when it is not newer than the erasure of its address."""

from collections.abc import Mapping
from datetime import datetime

AddressKey = tuple[str, str]
"""Tenant, and the key of an address."""
ErasedAt = Mapping[AddressKey, datetime]
"""When addresses were erased, of those that were."""


def is_erased(erased: ErasedAt, tenant: str, address: str, time: datetime) -> bool:
    """Say whether what happened to an address (its key) at `time` was erased with it."""
    at = erased.get((tenant, address))
    return at is not None and time <= at
