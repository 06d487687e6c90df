"""Migrations: plain SQL files, numbered, applied once each. `schema/` has the tables that several services share."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SCHEMA = Path(__file__).with_name("schema")
OUTBOX = SCHEMA / "outbox"
"""Of services that publish what they commit."""
ERASED_ADDRESSES = SCHEMA / "erased_addresses"
"""Of services that keep addresses."""


def migrate(url: str, service: str, folders: Sequence[Path]) -> list[str]:
    """Bring a service's schema up to date and return the names of the migrations that were applied.

    The caller's role owns what is made. Safe to call from several places at once: yoyo takes a lock.
    """
    from yoyo import get_backend, read_migrations

    backend = get_backend(_for_yoyo(url, service))
    try:
        migrations = read_migrations(*map(str, folders))
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
