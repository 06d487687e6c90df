"""One shape for every list: `items` and `next_cursor`. A cursor is opaque: whoever gets one gives it back as it is."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Protocol, TypeVar
from uuid import UUID

import orjson
from fastapi import Query, Response
from pydantic import BaseModel

from returpost.errors import InvalidMessage

T = TypeVar("T")

MAX_CURSOR = 4_000
"""Characters."""
JsonScalar = str | int | float | bool | None

Cursor = Annotated[
    str | None, Query(max_length=MAX_CURSOR, description="The `next_cursor` of the page before; none: the first page")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items a page")]


class Row(Protocol):
    """A row of a database, or a mapping."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a column."""
        ...


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None
    """Ask with it for the next page; none on the last one."""


def json_page(items: Sequence[Mapping[str, Any]], next_cursor: str | None) -> Response:
    """Return a page of rows that are not validated: half the time of a model, for lists that are looked at all day.

    The route declares the model (`response_model`) for its document; a test holds the rows against it.
    """
    body = orjson.dumps({"items": items, "next_cursor": next_cursor}, option=orjson.OPT_UTC_Z)
    return Response(body, media_type="application/json")


INVALID = "cursor: invalid; give the `next_cursor` of a page as it is"
_OTHER_LIST = "cursor: of another list; give the `next_cursor` of a page of this one"
_MAX_ID = 2**63 - 1


def encode_cursor(*position: JsonScalar | datetime | UUID) -> str:
    """Return the cursor of a position: the sort key of the last row of a page."""
    return base64.urlsafe_b64encode(orjson.dumps(position, default=str)).rstrip(b"=").decode()


def next_cursor(rows: Sequence[Row], limit: int, *key: str) -> str | None:
    """Return the cursor behind a page that is sorted by this key; none when it is not full, and so the last one."""
    return encode_cursor(*(rows[-1][name] for name in key)) if rows and len(rows) == limit else None


def decode_cursor(cursor: str, *types: type) -> Sequence[Any]:
    """Return the position; each part is of its type or null. Raises `InvalidMessage` for what no page has given."""
    try:
        position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise InvalidMessage(INVALID) from None
    if not isinstance(position, list) or len(position) != len(types):
        raise InvalidMessage(_OTHER_LIST)
    return [_part(part, kind) for part, kind in zip(position, types, strict=True)]


def decode_id(cursor: str | None) -> int | None:
    """Return the position in a list that is sorted by a bigint; None without a cursor. Raises `InvalidMessage`."""
    if cursor is None:
        return None
    (position,) = decode_cursor(cursor, int)
    if not isinstance(position, int) or not 0 <= position <= _MAX_ID:
        raise InvalidMessage(INVALID)
    return position


def decode_key(cursor: str | None) -> bytes | None:
    """Return the position in a list that is sorted by bytes (hex in the cursor); None without a cursor.

    Raises `InvalidMessage`.
    """
    if cursor is None:
        return None
    (position,) = decode_cursor(cursor, str)
    try:
        return bytes.fromhex(str(position))
    except ValueError:
        raise InvalidMessage(INVALID) from None


def decode_time(part: JsonScalar) -> datetime:
    """Return a position's part that was written by `isoformat`. Raises `InvalidMessage` for what no page has given."""
    try:
        time = datetime.fromisoformat(str(part))
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidMessage(INVALID)


def _part(part: Any, kind: type) -> Any:
    if part is None:
        return None
    if kind is datetime:
        return decode_time(part)
    if kind is UUID:
        try:
            return UUID(str(part))
        except ValueError:
            raise InvalidMessage(_OTHER_LIST) from None
    has_nul = isinstance(part, str) and "\x00" in part  # PostgreSQL has no text with it
    if has_nul or not isinstance(part, kind) or isinstance(part, bool) is not (kind is bool):
        raise InvalidMessage(_OTHER_LIST)
    return part
