"""Cursors of lists that are sorted by time and id, newest first."""

from datetime import datetime
from uuid import UUID

from returpost.errors import InvalidMessage
from shared.http.pagination import INVALID, decode_cursor


def decode_time_and_id(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Return the position; None without a cursor. Raises `InvalidMessage`."""
    if cursor is None:
        return None
    time, identity = decode_cursor(cursor, str, str)
    try:
        moment = datetime.fromisoformat(str(time))
        if moment.tzinfo is not None:
            return moment, UUID(str(identity))
    except ValueError:
        pass
    raise InvalidMessage(INVALID)
