"""What the fields of contracts are made of, and what every contract is."""

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from returpost.contracts.addresses import hide_addresses, normalise

MAX_DIAGNOSTIC = 4_000
"""Characters of a diagnostic that are kept; a line of a reply has up to 512 octets (RFC 5321 section 4.5.3.1.5)."""

_M = TypeVar("_M", bound=BaseModel)
_new, _set = object.__new__, object.__setattr__


def to_utc(time: datetime) -> datetime:
    """Return the same moment in UTC. Raises `ValueError` when UTC has no such year."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is before the year 1 or after 9999 in UTC") from None


def construct_trusted(model: type[_M], **values: Any) -> _M:
    """Return the model with these values, which must be all of its fields and valid already.

    Faster than `model_construct` and `__init__` on the hot path, where what is told follows from what was validated.
    """
    instance = _new(model)
    _set(instance, "__dict__", values)
    _set(instance, "__pydantic_fields_set__", _all_fields(model))
    _set(instance, "__pydantic_extra__", None)
    _set(instance, "__pydantic_private__", None)
    return instance


@cache
def _all_fields(model: type[BaseModel]) -> set[str]:
    """One set for all instances: they are frozen, and a copy copies it."""
    return set(model.__pydantic_fields__)


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Tenant or sender: part of routing keys and queue names."""
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Text that PostgreSQL can hold: no NUL."""
Note = Annotated[Text, AfterValidator(hide_addresses)]
"""What a person writes about something, and what stays when an address is erased: an address in it is hidden."""
Id = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
"""Id of a mailing, contact, selection and the like, as its owner names it."""
Label = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=400)]
"""A name or a subject, for people."""
Title = Annotated[Label, AfterValidator(hide_addresses)]
"""A short text of people: the name of a mailing or a list, or why something is done. It stays when an address is
erased: an address in it is hidden."""
Ip = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F:.]{2,45}$")]
"""Of the host that sent, version 4 or 6."""
Address = Annotated[str, AfterValidator(normalise)]
Time = Annotated[AwareDatetime, AfterValidator(to_utc)]
"""A moment with its offset, turned to UTC; a time without an offset is refused, since nobody can know what it means."""
Diagnostic = Annotated[Text, BeforeValidator(lambda text: text[:MAX_DIAGNOSTIC] if isinstance(text, str) else text)]
EnhancedStatus = Annotated[str, StringConstraints(pattern=r"^[245]\.\d{1,3}\.\d{1,3}$")]
"""RFC 3463 section 2."""
ReplyCode = Annotated[int, Field(ge=200, le=599)]
"""RFC 5321 section 4.2."""


class Contract(BaseModel):
    """Base of all data of events and commands."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_enum_values=False)

    TYPE: ClassVar[str]
    DETAIL: ClassVar[str | None] = None
    """Field that is the last part of the routing key, which the broker checks."""
    ATTRIBUTED: ClassVar[bool] = False
    """Its effect is attributed to somebody: to the broker user who published it, unless that is a service."""
