"""What an event of a provider comes to, and the rules that all providers share. No I/O."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import re2
from pydantic import ValidationError

from returpost.bounces.evidence import evidence_of
from returpost.contracts import MAX_DIAGNOSTIC, DeliveryResult, Evidence, Kind, Result, construct_trusted
from returpost.contracts.addresses import is_usual
from returpost.contracts.cloudevents import explain
from returpost.errors import InvalidMessage

NOT_SENT = "not_sent"
"""Code of a failure that the provider found in the message itself, before it was sent to anybody."""
MAX_CODES, MAX_CODE = 10, 200

_STATUS = re2.compile(r"(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?:[^\d.]|$)")
_FEEDBACK_TYPE = re2.compile(r"^[a-z0-9-]{1,40}$")
_PREFIX = "mailing:"
_MAILING = ("returpost_mailing", "mailing", "mailing_id")
_READ = frozenset((*_MAILING, "returpost_contact", "returpost_attempt", "returpost_sender"))
_USUAL_ID = re.compile(r"[ -~]{1,200}\Z")
_MANY = 40
"""Names of metadata that are worth remembering together."""
_MILLISECONDS = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would lie after the year 5000."""


@dataclass(slots=True)
class NormalizedResult:
    """One result of one recipient. `event_id` is the provider's, the same when it sends the event again; without one
    the id is made from the content. `kind` is told when it is no result of a delivery, such as an automatic reply.
    """

    result: DeliveryResult
    event_id: str | None
    kind: Kind | None = None
    codes: tuple[str, ...] = ()
    """The provider's own verdict, from the general to the special, in its own words."""
    suppressed: bool = False
    """It only repeats an earlier failure: the provider sent nothing. What it says of the earlier one is left out, or
    that would be judged as if it had happened again."""
    tells_sender: bool = True
    original: bytes = field(default=b"", repr=False, compare=False)
    """The event as it arrived; several results may be of one event."""
    provider: str = ""

    @property
    def evidence(self) -> Evidence:
        """What a verdict on a failure is made of."""
        return evidence_of(
            self.result,
            kind=self.kind or Kind.FAILURE,
            provider=self.provider,
            provider_codes=self.codes,
            suppressed=self.suppressed,
        )


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event of a kind that is known and says nothing of a delivery: counted, and no more."""

    kind: str


@dataclass(frozen=True, slots=True)
class InvalidRecipient:
    """One recipient of an event that is wrong: the event is kept, and its other recipients are taken."""

    error: str


class UnknownKind(InvalidMessage):
    """An event of a kind that this version does not know; it is kept."""


Event = Mapping[str, Any]
Item = NormalizedResult | Ignored | InvalidRecipient


def normalized(
    event_id: str | None,
    address: Any,
    result: Result,
    time: Any,
    *,
    tags: Any = None,
    meta: Any = None,
    campaign: Any = None,
    message_id: Any = None,
    text: Any = None,
    codes: Iterable[Any] = (),
    suppressed: bool = False,
    status: Any = None,
    reply_code: Any = None,
    remote_mta: Any = None,
    feedback_type: Any = None,
    kind: Kind | None = None,
) -> NormalizedResult | InvalidRecipient:
    """Return the result, checked, or what is wrong with it."""
    known = _metadata(meta) if meta else {}
    try:
        values = {
            "mailing": mailing_of(known, tags, campaign, message_id),
            "address": _bare(address),
            "result": result,
            "time": moment(time),
            "sender": known.get("returpost_sender") or "default",
            "contact": known.get("returpost_contact"),
            "attempt": known.get("returpost_attempt"),
            "reply_code": _reply_code(reply_code) if reply_code else None,
            "status": status_of(status) if status else None,
            "diagnostic": "" if suppressed else text_of(text)[:MAX_DIAGNOSTIC],
            "remote_mta": (text_of(remote_mta) or None) if remote_mta else None,
            "feedback_type": _feedback_type(feedback_type) if feedback_type else None,
            "stream": None,
            "sending_ip": None,
        }
        told = (
            construct_trusted(DeliveryResult, **values) if _is_usual(values) else DeliveryResult.model_validate(values)
        )
        own = tuple(code for code in map(_code, codes) if code)[:MAX_CODES] if codes else ()
        return NormalizedResult(
            told, text_of(event_id) or None, kind, own, suppressed, bool(known.get("returpost_sender"))
        )
    except (ValidationError, InvalidMessage) as error:
        return InvalidRecipient(explain(error))


def _is_usual(values: Mapping[str, Any]) -> bool:
    """Tell whether the values are valid for sure, as nearly all are, in a third of the time that a model takes: those
    that are not looked at are valid by how they were made."""
    mailing = values["mailing"]
    return bool(
        values["sender"] == "default"
        and values["contact"] is None
        and values["attempt"] is None
        and values["time"].tzinfo is UTC
        and _USUAL_ID.match(mailing)
        and len(values["remote_mta"] or "") <= MAX_DIAGNOSTIC
        and is_usual(values["address"])
    )


def mailing_of(meta: Mapping[str, Any], tags: Any, campaign: Any, message_id: Any) -> str:
    """Return the mailing: what the metadata name, else a tag `mailing:...`, else the provider's campaign, else the
    message, by the same rule as for returned mails (`returpost.bounces.events.mails.mailing_of`). Other tags are
    categories of mail and outlive a mailing. Raises `InvalidMessage` when nothing tells.
    """
    for name in _MAILING:
        if named := text_of(meta.get(name)).strip():
            return named
    for tag in _texts(tags):
        if tag.startswith(_PREFIX) and tag != _PREFIX:
            return tag.removeprefix(_PREFIX)
    if named := text_of(campaign).strip():
        return named
    if identity := text_of(message_id).strip().strip("<>"):
        return f"message-{hashlib.sha256(identity.encode(errors='replace')).hexdigest()[:24]}"
    raise InvalidMessage("mailing: neither metadata nor tags nor a campaign nor a message id tell it")


def moment(value: Any) -> datetime:
    """Read a time: seconds or milliseconds since 1970, or RFC 3339. Raises `InvalidMessage`."""
    try:
        seconds = float(value)
        return datetime.fromtimestamp(seconds / 1000 if seconds >= _MILLISECONDS else seconds, UTC)
    except TypeError:
        raise InvalidMessage("time: missing") from None
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise InvalidMessage("time: neither seconds since 1970 nor RFC 3339") from None


def text_of(value: Any) -> str:
    """Return a text or a number as text, a structure as JSON, nothing as the empty text."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        if value.isascii() and "\x00" not in value:
            return value
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value)


def number_of(value: Any) -> int | None:
    """Return a whole number, also when it is written as text."""
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def status_of(value: Any) -> str | None:
    """Return the enhanced status (RFC 3463 section 2) in a field, if there is one."""
    text = text_of(value)
    seen = _STATUS.search(text) if text else None
    return str(seen[1]) if seen else None


def inner(event: Any, *path: str) -> Any:
    """Return what lies at the path, or None."""
    for name in path:
        if not isinstance(event, Mapping):
            return None
        event = event.get(name)
    return event


def objects(value: Any) -> Iterator[Event]:
    """Yield the objects of a list. Raises `InvalidMessage` when there is none."""
    entries = [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
    if not entries:
        raise InvalidMessage("recipients: none is told")
    yield from entries


def addresses(value: Any) -> list[str]:
    """Return the addresses of a list, or of the one text. Raises `InvalidMessage` when there is none."""
    entries = list(_texts(value))
    if not entries:
        raise InvalidMessage("recipients: none is told")
    return entries


def known_kind(kinds: Mapping[str, Result | None], kind: Any) -> Result | None:
    """Return the result that a kind stands for, None when it says nothing. Raises `UnknownKind`."""
    name = text_of(kind)
    if name not in kinds:
        raise UnknownKind(f"kind: {name[:60]!r} is not known" if name else "kind: missing")
    return kinds[name]


def _code(value: Any) -> str:
    return text_of(value).strip()[:MAX_CODE]


def _reply_code(value: Any) -> int | None:
    """Return the code if it is one of SMTP; providers have others of their own."""
    code = number_of(value)
    return code if code and 200 <= code <= 599 else None


def _feedback_type(value: Any) -> str | None:
    name = text_of(value).lower().replace("_", "-")
    return name if name and _FEEDBACK_TYPE.search(name) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, str))


def _metadata(value: Any) -> Mapping[str, Any]:
    """Return metadata by lower-case name: an object, its JSON, a list of `{name, value}`, or `name:value|...`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = _pairs(value)
    if isinstance(value, list):
        value = {entry["name"]: entry.get("value") for entry in value if isinstance(entry, Mapping) and "name" in entry}
    if not isinstance(value, Mapping):
        return {}
    names = tuple(value)
    wanted = _wanted(names) if len(names) <= _MANY else _wanted.__wrapped__(names)
    return {plain: _first(value[name]) for name, plain in wanted}


def _pairs(text: str) -> dict[str, str]:
    pairs = (pair.partition(":") for pair in text.split("|"))
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


@lru_cache(maxsize=1_024)
def _wanted(names: tuple[Any, ...]) -> list[tuple[Any, str]]:
    """Return those that are read, each with the name that metadata, tags and headers have in common:
    `X-Returpost-Mailing` is `returpost_mailing`. Events of one provider have the same names a thousand times."""
    plain = ((name, str(name).lower().replace("-", "_").removeprefix("x_")) for name in names)
    return [(name, known) for name, known in plain if known in _READ]


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _bare(address: Any) -> str:
    """Return the address of `Name <address>`."""
    written = text_of(address).strip()
    return written[written.rindex("<") + 1 :].partition(">")[0] if "<" in written else written
