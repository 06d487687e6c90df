"""One shape for every list: `items` and `next_cursor`. A cursor is opaque: whoever gets one gives it back as it is."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel

from returpost.errors import InvalidMessage

T = TypeVar("T")

MAX_CURSOR = 4_000
"""Characters."""
JsonScalar = str | int | float | bool | None

Cursor = Annotated[
    str | None, Query(max_length=MAX_CURSOR, description="The `next_cursor` of the page before; none: the first page")
]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None
    """Ask with it for the next page; none on the last one."""


def encode_cursor(*position: JsonScalar) -> str:
    """Return the cursor of a position: the sort key of the last row of a page."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *types: type) -> Sequence[JsonScalar]:
    """Return the position; each part is of its type or null. Raises `InvalidMessage` for what no page has given."""
    try:
        position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise InvalidMessage("cursor: invalid; give the `next_cursor` of a page as it is") from None
    if (
        not isinstance(position, list)
        or len(position) != len(types)
        or not all(part is None or isinstance(part, kind) for part, kind in zip(position, types, strict=True))
    ):
        raise InvalidMessage("cursor: of another list; give the `next_cursor` of a page of this one")
    return position
