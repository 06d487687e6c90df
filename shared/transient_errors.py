"""Which errors are the infrastructure's: for those nothing is dead-lettered, the work is held and tried again."""

import asyncpg
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from returpost.errors import Unavailable

_SQLSTATES = (
    "08",  # connection exception
    "25006",  # read-only transaction: a standby after a failover
    "28",  # refused: the role or its password is not there yet
    "3D",  # no such database
    "3F",  # no such schema
    "40",  # rolled back: serialization failure, deadlock
    "42501",  # insufficient privilege: the roles are not set up
    "42P01",  # undefined table: not migrated yet
    "42703",  # undefined column: not migrated yet
    "53",  # insufficient resources: connections, memory, disk
    "55P03",  # lock not available
    "57",  # operator intervention: shutdown, crash, start-up, cancelled
    "58",  # system error
    "XX",  # internal error
)
"""https://www.postgresql.org/docs/18/errcodes-appendix.html"""


def is_infrastructure(error: BaseException) -> bool:
    """Tell whether the same message may well succeed later, when the database or the broker is right again."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_SQLSTATES)
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # asyncpg's DataError: an argument that fits no column
    return isinstance(error, (Unavailable, AMQPError, ChannelInvalidStateError, OSError, TimeoutError))
