"""What a channel is as JSON, and what of it is right."""

from dataclasses import replace
from datetime import datetime, time
from typing import Annotated, Any, Self
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asyncpg import Record
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from returpost.contracts import Address, Name, Text
from returpost.contracts.enums import AlertKind, Severity
from returpost.contracts.routing import PLATFORM
from returpost.errors import InvalidMessage
from services.alerts.domain.channel import MAX_RECIPIENTS, Channel, ChannelKind, Digest, Language
from services.alerts.domain.schedule import Quiet

MAX_TENANTS = 1_000


def _ascii(address: str) -> str:
    if not address.isascii():
        raise ValueError("must be in ASCII: not every mail server takes others (RFC 6531)")
    return address


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("unknown time zone; as Europe/Oslo") from None
    return name


def _whole_minute(at: time) -> time:
    if at.second or at.microsecond or at.tzinfo is not None:
        raise ValueError("must be a time on the wall in whole minutes, as 22:00")
    return at


Recipient = Annotated[Address, AfterValidator(_ascii)]
Zone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,60}$"), AfterValidator(_zone)]
WallTime = Annotated[time, AfterValidator(_whole_minute)]
Url = Annotated[Text, Field(min_length=1, max_length=2_000)]
Recipients = Annotated[list[Recipient], Field(max_length=MAX_RECIPIENTS)]


class QuietHours(BaseModel):
    """From when to when nothing is sent, by the clock in the time zone; over midnight when `to` is earlier."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: WallTime = Field(alias="from")
    to: WallTime

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.from_ == self.to:
            raise ValueError("from and to must be two times")
        return self


class _Rule(BaseModel, extra="forbid"):
    language: Language = Language.ENGLISH
    severity: Annotated[Severity, Field(description="The least that goes there")] = Severity.INFO
    causes: Annotated[set[AlertKind], Field(description="What goes there; none named: all")] = set()
    tenants: Annotated[
        set[Name],
        Field(
            max_length=MAX_TENANTS, description=f"Of a channel of `{PLATFORM}`: whose alerts; none named: everybody's"
        ),
    ] = set()
    digest: Digest = Digest.OFF
    digest_at: Annotated[WallTime, Field(description="When a daily digest goes out, in the time zone")] = time(8)
    quiet: QuietHours | None = None
    time_zone: Zone = "UTC"
    hold_critical: Annotated[
        bool, Field(description="Whether digest and quiet hours hold back what is critical, too")
    ] = False
    weekly_report: Annotated[bool, Field(description="Whether it has the report of each week")] = False


class NewChannel(_Rule):
    """A channel to be added: `recipients` of an e-mail, `url` of all others."""

    name: Name
    kind: ChannelKind
    recipients: Recipients = []
    url: Url | None = None


class ChannelChange(BaseModel, extra="forbid"):
    """What is to be another; what is not named stays. `quiet: null` takes the quiet hours away."""

    recipients: Recipients | None = None
    url: Url | None = None
    enabled: bool | None = None
    language: Language | None = None
    severity: Severity | None = None
    causes: set[AlertKind] | None = None
    tenants: Annotated[set[Name], Field(max_length=MAX_TENANTS)] | None = None
    digest: Digest | None = None
    digest_at: WallTime | None = None
    quiet: QuietHours | None = None
    time_zone: Zone | None = None
    hold_critical: bool | None = None
    weekly_report: bool | None = None


class ChannelOut(_Rule):
    """One channel. Its URL is a secret, and never shown."""

    name: str
    kind: ChannelKind
    recipients: list[str]
    host: Annotated[str, Field(description="Of the URL; empty for e-mail")]
    enabled: bool
    version: int
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    last_at: Annotated[datetime | None, Field(description="When the last message was formed")]
    last_state: str | None
    last_problem: str | None

    @classmethod
    def of(cls, row: Record) -> Self:
        """Return a row of a channel as it is shown."""
        start, end = row["quiet_from"], row["quiet_to"]
        values = {name: row[name] for name in cls.model_fields if name in row.keys()}  # noqa: SIM118 - a Record
        values |= {"time_zone": row["zone"], "host": urlsplit(row["url"]).hostname or ""}
        return cls(**values, quiet=None if start is None else QuietHours(from_=start, to=end))


class ChannelWithSecret(ChannelOut):
    """One channel with the secret that signs what is posted to a webhook; it is not shown again."""

    secret: Annotated[str | None, Field(description="None but of webhooks")]


def new_channel(id_: UUID, tenant: str, wanted: NewChannel, secret: str) -> Channel:
    """Return a channel that is right. Raises `InvalidMessage`."""
    channel = Channel(
        id_,
        tenant,
        wanted.name,
        wanted.kind,
        recipients=tuple(dict.fromkeys(wanted.recipients)),
        url=wanted.url or "",
        secret=secret,
        **_rule(wanted.model_dump(exclude={"name", "kind", "recipients", "url"})),
    )
    return _right(channel)


def changed(channel: Channel, wanted: ChannelChange) -> Channel:
    """Return the channel with what is to be another. Raises `InvalidMessage`."""
    values = wanted.model_dump(exclude={"enabled"}, exclude_unset=True)
    named = {name: value for name, value in values.items() if value is not None or name == "quiet"}
    if "recipients" in named:
        named["recipients"] = tuple(dict.fromkeys(named["recipients"]))
    return _right(replace(channel, **_rule(named)))


def _rule(values: dict[str, Any]) -> dict[str, Any]:
    """Return what pydantic read as the fields of a channel."""
    found = dict(values)
    if "time_zone" in found:
        found["zone"] = found.pop("time_zone")
    for name in ("causes", "tenants"):
        if name in found:
            found[name] = frozenset(found[name])
    if found.get("quiet") is not None:
        found["quiet"] = Quiet(found["quiet"]["from_"], found["quiet"]["to"])
    return found


def _right(channel: Channel) -> Channel:
    by_mail = channel.kind is ChannelKind.EMAIL
    if by_mail and (channel.url or not channel.recipients):
        raise InvalidMessage("recipients: an e-mail channel has some, and no url")
    if not by_mail and (channel.recipients or not channel.url):
        raise InvalidMessage(f"url: a channel of the kind {channel.kind.value} has one, and no recipients")
    if channel.tenants and channel.tenant != PLATFORM:
        raise InvalidMessage(f"tenants: only a channel of {PLATFORM} is told of several")
    return channel
