"""PostgreSQL: the pool of a service, its named queries and its migrations."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
import structlog

from shared.errors import InvalidSettings
from shared.faults import is_infrastructure

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:  # the stubs are generic, the classes are not
    Connection = asyncpg.pool.PoolConnectionProxy
    Pool = asyncpg.Pool

log = structlog.get_logger()

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def queries(path: Path) -> Mapping[str, str]:
    """Read a file of named queries: `-- name: <name>`, then comments that say what it does, then the SQL."""
    parts = _NAME.split(path.read_text())
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


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


def migrate(url: str, service: str, folder: Path) -> list[str]:
    """Bring a service's schema up to date and return the names of the migrations that were applied.

    The caller's role owns what is made. Safe to call from several places at once: yoyo takes a lock.
    """
    from yoyo import get_backend, read_migrations

    backend = get_backend(_for_yoyo(url, service))
    try:
        migrations = read_migrations(str(folder))
        with backend.lock(timeout=60):
            pending = backend.to_apply(migrations)
            backend.apply_migrations(pending)
        return [migration.id for migration in pending]
    finally:
        backend.connection.close()


def _for_yoyo(url: str, schema: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | {"schema": schema}
    return urlunsplit(("postgresql+psycopg", parts.netloc, parts.path, urlencode(query), ""))
