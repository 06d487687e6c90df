"""`returpost forget-tenant`: remove all that is of a tenant from the tables of every service."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.cli.options import FOLDER, Folder, Json
from returpost.errors import InvalidSettings, Unavailable

if TYPE_CHECKING:
    from psycopg import Connection, sql

    from services.replay.runner.segments import Segments

WITH_TENANT = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname
"""
OF_OPERATIONS = "operation IN (SELECT no FROM actions.operations WHERE tenant = %s)"
OTHERS: dict[str, dict[str, str]] = {
    "actions": dict.fromkeys(("operation_rows", "operation_undo_values", "operation_files"), OF_OPERATIONS),
    "replay": {"group_notes": "scope = %s"},
}  # fmt: skip
"""Tables that do not name the tenant, and which of their rows are its; they are looked at before the others go."""
OUTBOX = "routing_key ~ ('^[^.]+[.][^.]+[.]' || %s || '([.]|$)')"


def forget_tenant(
    tenant: Annotated[str, typer.Argument(help="The tenant whose data must go.")],
    why: Annotated[str, typer.Option(help="Why; the audit keeps it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Remove all rows of a tenant from every service: addresses, contacts, mailings, users, settings, dead letters.

    It cannot be undone. Each service's rows go in one transaction. Stop what still comes in before, and start the
    services again afterwards: they keep settings and filters in memory. Streams let go of events by age; outcomes of
    retries, which are hashes of recipients, too.

    Works on RETURPOST_DATABASE_URL (RETURPOST_<SERVICE>_DATABASE_URL), else on what `returpost up` runs here.

    \b
    returpost forget-tenant acme --dry-run
    returpost forget-tenant acme --why "the contract has ended" --yes
    """
    from returpost.cli.installation import Installation
    from returpost.cli.operate.jobs import agreed
    from returpost.cli.options import names
    from returpost.cli.terminal import out, print_json, say, table

    if len(names(tenant, "TENANT")) != 1:
        raise InvalidSettings("TENANT: name one")
    if not dry_run and len(why) < 3:
        raise InvalidSettings("--why: say why; the audit keeps it")
    urls = _urls(Installation(directory))
    found = {service: count(url, service, tenant) for service, url in urls.items()}
    archived = archived_messages(tenant)
    if archived:
        found["replay"]["messages in the archive's files"] = archived
    total = sum(number for tables in found.values() for number in tables.values())
    if as_json:
        print_json({"tenant": tenant, "rows": total, "tables": found})
    else:
        rows = [(f"{service}.{name}", n) for service, tables in found.items() for name, n in tables.items()]
        out.print(table(f"Rows of {tenant}", ("table", "rows"), rows) if rows else f"There is nothing of {tenant}.")
    if total and not dry_run and agreed(f"Remove {total:,} rows of {tenant} for ever?", yes=yes):
        removed = sum(remove(url, service, tenant, why) for service, url in urls.items())
        say(f"removed {removed + archived:,} rows; start the services again")


def count(url: str, service: str, tenant: str) -> dict[str, int]:
    """Return how many rows of a service's tables are a tenant's, of those tables that have some."""
    from psycopg import sql

    found = {}
    with _connected(url) as connection:
        for name, which in _tables(connection, service).items():
            counted = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(service, name), which)
            row = connection.execute(counted, (tenant,)).fetchone()
            if row and row[0]:
                found[name] = int(row[0])
    return found


def remove(url: str, service: str, tenant: str, why: str) -> int:
    """Remove a tenant's rows from a service's tables in one transaction, and note it in the audit; return how many."""
    from psycopg import errors, sql

    number = 0
    with _connected(url) as connection, connection.transaction():
        left = list(_tables(connection, service).items())
        while left:
            again = []
            for name, which in left:
                statement = sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(service, name), which)
                try:
                    with connection.transaction():
                        number += connection.execute(statement, (tenant,)).rowcount
                except errors.ForeignKeyViolation:  # what refers to it goes first
                    again.append((name, which))
            if len(again) == len(left):
                raise Unavailable(f"{service}: rows of {', '.join(name for name, _ in again)} are referred to")
            left = again
        if service == "replay":
            if folder := _segments():
                # As the writer of the files: one at a time.
                connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('job segments', 0))")
                folder.forget(tenant)
            connection.execute(
                "INSERT INTO replay.audit (who, action, target, why) VALUES ('cli', 'forget tenant', %s, %s)",
                (tenant, why),
            )
    return number


def archived_messages(tenant: str) -> int:
    """Return how many messages of a tenant the files of the archive have, if there are files."""
    folder = _segments()
    return folder.of_tenant(tenant) if folder else 0


def _segments() -> "Segments | None":
    from pathlib import Path

    from returpost.cli.env_config import setting
    from services.replay.runner.segments import Segments

    folder = setting("REPLAY_ARCHIVE_FOLDER")
    return Segments(Path(folder)) if folder else None


def _tables(connection: "Connection[Any]", service: str) -> "Mapping[str, sql.SQL]":
    from psycopg import sql

    from deploy.database import SHARED_TABLES
    from shared.database.migrations import OUTBOX as OUTBOX_TABLE

    def conditions() -> Iterator[tuple[str, str]]:
        yield from OTHERS.get(service, {}).items()
        for (name,) in connection.execute(WITH_TENANT, (service,)).fetchall():
            yield name, "tenant = %s"
        if OUTBOX_TABLE in SHARED_TABLES[service]:
            yield "outbox", OUTBOX

    return {name: sql.SQL(which) for name, which in conditions()}


def _connected(url: str) -> "Connection[Any]":
    import psycopg

    try:
        return psycopg.connect(url, connect_timeout=10, autocommit=True)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL does not answer: {str(error).strip()}") from None


def _urls(installation: Any) -> dict[str, str]:
    from deploy.database import SERVICES
    from returpost.cli.env_config import setting

    running = installation.running()
    common = setting("DATABASE_URL") or (running.database_url if running else None)
    urls = {service: setting(f"{service.upper()}_DATABASE_URL") or common for service in SERVICES}
    found = {service: url for service, url in urls.items() if url}
    if len(found) < len(SERVICES):
        raise InvalidSettings("RETURPOST_DATABASE_URL is not set, and nothing runs here")
    return found
