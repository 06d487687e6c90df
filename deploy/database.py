"""PostgreSQL: a schema and a least-privilege role for each service, and the migrations (`returpost migrate`)."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import errors, sql

import services
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.database.migrations import ERASED_ADDRESSES, OUTBOX, migrate

SERVICES = ("ingest", "classifier", "blocklist", "actions", "replay", "alerts")
"""The services that keep state."""
SHARED_TABLES = {
    "ingest": (ERASED_ADDRESSES,),
    "classifier": (OUTBOX, ERASED_ADDRESSES),
    "blocklist": (OUTBOX, ERASED_ADDRESSES),
    "actions": (OUTBOX, ERASED_ADDRESSES),
    "replay": (OUTBOX,),
    "alerts": (OUTBOX,),
}

_LOCK = 0x7265747572  # "retur"
LOCK_TIMEOUT = "120s"
ROLE_TRIES = 20
_YOYO_TABLES = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock")

_NO_ROLES = (
    "the database user {user} may not create the services' roles ({detail}); run ALTER ROLE {user} CREATEROLE as an "
    "administrator, or choose a single role for all services (--single-role)"
)

Admin = psycopg.Connection[tuple[object, ...]]


def prepare(
    admin_url: str,
    passwords: Mapping[str, str],
    *,
    single_role: bool = False,
    only: Sequence[str] = SERVICES,
) -> dict[str, str]:
    """Make roles, schemas and tables, and return the URL that each service connects with.

    `passwords` has one for each service. Roles belong to the whole server: who prepares several databases on one gives
    the same passwords. With `single_role` no role is made, and every service works with the given URL. Safe to repeat,
    also from several places at once; nothing is removed. Raises `InvalidSettings` when the URL or the rights of its
    user are wrong, `Unavailable` when the server does not answer.
    """
    missing = [service for service in only if not single_role and not passwords.get(service)]
    if missing:
        raise InvalidSettings(f"no database password for {', '.join(missing)}")
    urls: dict[str, str] = {}
    with _admin(admin_url) as admin:
        for service in only:
            if not single_role:
                _make_role(admin, role_of(service), passwords[service])
            _make_schema(admin, service, None if single_role else role_of(service))
            _migrate(admin_url, service)
            if not single_role:
                _grant(admin, service, role_of(service))
            urls[service] = admin_url if single_role else _with_user(admin_url, role_of(service), passwords[service])
    return urls


def role_of(service: str) -> str:
    """Name of a service's own database role."""
    return f"returpost_{service}"


def migrations_of(service: str) -> list[Path]:
    """Return the folders of a service's migrations, shared ones first. Raises `ReturpostError` when it has none."""
    folder = Path(services.__path__[0]) / service / "migrations"
    if not any(folder.glob("*.sql")):
        raise ReturpostError(f"{folder}: no migrations there; the installation is not complete")
    return [*SHARED_TABLES[service], folder]


@dataclass(frozen=True, slots=True)
class Migrations:
    """The migrations of a service, by name, as the database has them."""

    pending: list[str]
    """Those that `prepare` would apply, in their order."""
    unknown: list[str]
    """Those that were applied, and that this release does not have: a later one was here."""


def migrations_at(url: str, service: str) -> Migrations:
    """Compare a database with the migrations of this release; changes nothing. Raises as `prepare` does."""
    from yoyo import read_migrations

    ours = [migration.id for migration in read_migrations(*map(str, migrations_of(service)))]
    with _connected(url) as connection:
        table = sql.Identifier(service, _YOYO_TABLES[0])
        if connection.execute("SELECT to_regclass(%s)", (table.as_string(connection),)).fetchone() == (None,):
            return Migrations(ours, [])
        applied = {str(name) for (name,) in connection.execute(sql.SQL("SELECT migration_id FROM {}").format(table))}
    return Migrations([name for name in ours if name not in applied], sorted(applied - set(ours)))


def version(url: str) -> str:
    """Return the version of PostgreSQL. Raises as `prepare` does."""
    with _connected(url) as connection:
        return str(connection.info.parameter_status("server_version"))


@contextmanager
def _admin(url: str) -> Iterator[Admin]:
    """Connect, one preparation of this database at a time."""
    with _connected(url) as connection:
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.execute("SET client_min_messages = error")
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        yield connection


@contextmanager
def _connected(url: str) -> Iterator[Admin]:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            yield connection
    except (errors.InvalidPassword, errors.InvalidAuthorizationSpecification, errors.InvalidCatalogName) as error:
        raise InvalidSettings(f"RETURPOST_DATABASE_URL: {error}") from None
    except errors.LockNotAvailable:
        raise Unavailable(f"somebody else has been preparing this database for {LOCK_TIMEOUT}; try again") from None
    except psycopg.OperationalError as error:
        text = str(error).strip()
        if "authentication failed" in text or "does not exist" in text:
            raise InvalidSettings(f"RETURPOST_DATABASE_URL: {text}") from None
        raise Unavailable(f"PostgreSQL does not answer: {text}") from None


def _make_role(admin: Admin, role: str, password: str) -> None:
    # The server gets the verifier, not the password, so that no log of its can hold it.
    verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    name, secret = sql.Identifier(role), sql.Literal(verifier)
    for tries in range(1, ROLE_TRIES + 1):
        try:
            exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            statement = "ALTER ROLE {} LOGIN PASSWORD {}" if exists else "CREATE ROLE {} LOGIN PASSWORD {}"
            admin.execute(sql.SQL(statement).format(name, secret))
            return
        except errors.InsufficientPrivilege as error:
            raise InvalidSettings(_NO_ROLES.format(user=admin.info.user, detail=error.diag.message_primary)) from None
        except (errors.DuplicateObject, errors.UniqueViolation, errors.InternalError_):
            # Roles belong to all databases, advisory locks to one: another database's preparation was here ("tuple
            # concurrently updated" is an internal error).
            if tries == ROLE_TRIES:
                raise
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - spreads the tries


def _make_schema(admin: Admin, service: str, role: str | None) -> None:
    try:
        admin.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(service)))
    except errors.InsufficientPrivilege as error:
        detail = error.diag.message_primary
        raise InvalidSettings(f"the database user {admin.info.user} may not create schemas: {detail}") from None
    if role is None:
        return
    for statement in (
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "ALTER ROLE {role} IN DATABASE {database} SET jit = off",  # 150 ms before the first row of many a view
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    ):
        _run(admin, statement, service, role)


def _migrate(admin_url: str, service: str) -> None:
    try:
        migrate(admin_url, service, migrations_of(service))
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise ReturpostError(f"{service}: a migration failed, and was rolled back: {error}") from error


def _grant(admin: Admin, service: str, role: str) -> None:
    """Give the rights on what is there already; the bookkeeping of the migrations is nobody's but the migrations'."""
    for statement in (
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    ):
        _run(admin, statement, service, role)
    tables = admin.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename = ANY(%s)", (service, list(_YOYO_TABLES))
    )
    for (table,) in tables.fetchall():
        name = sql.Identifier(service, str(table))
        admin.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, sql.Identifier(role)))


def _run(admin: Admin, statement: str, schema: str, role: str) -> None:
    names = {
        "database": sql.Identifier(admin.info.dbname),
        "schema": sql.Identifier(schema),
        "role": sql.Identifier(role),
    }
    admin.execute(sql.SQL(statement).format(**names))


def _with_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))
