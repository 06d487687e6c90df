"""PostgreSQL: the pool of a service, its named queries and its migrations."""

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import structlog

from returpost.errors import InvalidSettings
from shared.transient_errors import is_infrastructure

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:  # the stubs are generic, the classes are not
    Connection = asyncpg.pool.PoolConnectionProxy
    Pool = asyncpg.Pool

log = structlog.get_logger()


async def open_pool(url: str, service: str, *, size: int) -> Pool:
    """Open the pool of a service, in its own schema. Raises what says that the server is away."""
    return await asyncpg.create_pool(
        url,
        min_size=2,
        max_size=size,
        command_timeout=60,
        reset=_as_it_is,
        server_settings={"search_path": service, "application_name": f"returpost-{service}", "timezone": "UTC"},
    )


async def _as_it_is(_: object) -> None:
    """Give a connection back with no question to the server: nothing of ours outlives its transaction, of settings and
    locks only those are used that end with it, and one that is left open is rolled back all the same."""


async def connect(url: str, service: str, *, size: int) -> Pool:
    """Open the pool of a service, in its own schema; waits while the server starts.

    Raises `InvalidSettings` when the server refuses the user or does not know the database.
    """
    for tries in range(1_000_000):
        try:
            return await open_pool(url, service, size=size)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise InvalidSettings(f"RETURPOST_DATABASE_URL: {error}") from None
        except Exception as error:
            if not is_infrastructure(error):
                raise
            if tries % 10 == 0:
                log.warning("waiting for PostgreSQL", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(min(5.0, 0.2 * (tries + 1)))
    raise AssertionError("unreachable")
