"""`returpost upgrade check`: what an upgrade to this release would do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from returpost.cli.options import FOLDER, SENDERS, Folder, Json, Senders
from returpost.errors import InvalidSettings

if TYPE_CHECKING:
    from deploy.rabbitmq.differences import Difference
    from returpost.cli.installation import Installation

app = typer.Typer(no_args_is_help=True, add_completion=False, help="See what an upgrade to this release would do.")


@app.callback()
def upgrade() -> None:
    """See what an upgrade to this release would do."""


@app.command()
def check(
    senders: Senders = SENDERS,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Say what an upgrade to this release would change in database and broker, and what would stop it; changes nothing.

    Run it with the new release, before its `returpost migrate` and `returpost topology apply`, while the old one works.
    Asks RETURPOST_DATABASE_URL (RETURPOST_<SERVICE>_DATABASE_URL), RETURPOST_AMQP_URL and
    RETURPOST_AMQP_MANAGEMENT_URL, else what `returpost up` runs here.

    Exit code 1 when something stands in the way.

    \b
    returpost upgrade check --senders newsletter,invoices
    """
    from deploy.commands.topology import broker_of
    from deploy.commands.up import senders_of
    from deploy.local.local_stack import declaration_of
    from deploy.rabbitmq.differences import Effect
    from returpost.cli.installation import Installation
    from returpost.cli.terminal import err, out, print_json, say, table

    installation = Installation(directory)
    amqp_url, management_url = broker_of(installation)
    if management_url is None:
        raise InvalidSettings("RETURPOST_AMQP_MANAGEMENT_URL is not set: what is at the broker is asked there")
    postgres, database = _database(installation)
    rabbit, broker = _broker(
        amqp_url, management_url, tuple(senders_of(senders)), declaration_of(False, say).stream_days
    )
    found = [{"where": "database", **row} for row in database] + [{"where": "broker", **row} for row in broker]
    obstacles = sum(row["effect"] == Effect.OBSTACLE for row in found)
    if as_json:
        print_json({"rabbitmq": rabbit, "postgresql": postgres, "differences": found, "obstacles": obstacles})
    else:
        say(f"RabbitMQ {rabbit}, PostgreSQL {postgres}")
        if found:
            out.print(table(None, ("where", "name", "effect", "what"), [tuple(row.values()) for row in found]))
    if obstacles:
        err.print(f"{obstacles} {'obstacle' if obstacles == 1 else 'obstacles'}: nothing was changed", highlight=False)
        raise typer.Exit(1)
    if not as_json:
        by_itself = sum(row["effect"] == Effect.DONE for row in found)
        say(f"nothing stands in the way; {by_itself} changes by `returpost migrate` and `returpost topology apply`")


def _database(installation: "Installation") -> tuple[str, list[dict[str, Any]]]:
    from deploy.database import SERVICES, version
    from returpost.cli.env_config import setting

    running = installation.running()
    url = setting("DATABASE_URL") or (running.database_url if running else None)
    urls = {service: setting(f"{service.upper()}_DATABASE_URL") or url for service in SERVICES}
    known = {service: url for service, url in urls.items() if url is not None}
    if len(known) < len(urls):
        raise InvalidSettings("RETURPOST_DATABASE_URL is not set, and nothing runs here")
    return version(known[SERVICES[0]]), [_row(one) for service, url in known.items() for one in _of(service, url)]


def _of(service: str, url: str) -> "Iterator[Difference]":
    from deploy.database import migrations_at
    from deploy.rabbitmq.differences import Difference, Effect

    migrations = migrations_at(url, service)
    for name in migrations.pending:
        yield Difference(Effect.DONE, service, f"the migration {name} is applied")
    for name in migrations.unknown:
        yield Difference(Effect.LEFT, service, f"the migration {name} is of a later release than this one")


def _broker(
    amqp_url: str, management_url: str, senders: tuple[str, ...], stream_days: int
) -> tuple[str, list[dict[str, Any]]]:
    import asyncio

    from deploy.rabbitmq.definitions import definitions
    from deploy.rabbitmq.differences import differences
    from deploy.rabbitmq.management import Management
    from returpost.contracts.routing import SERVICES

    async def ask() -> tuple[str, dict[str, Any]]:
        async with Management(management_url, amqp_url) as management:
            return await management.version(), await management.definitions() or {}

    version, there = asyncio.run(ask())
    wanted = definitions(senders, stream_days=stream_days)
    return version, [_row(one) for one in differences(wanted, there, (*SERVICES, "sender"))]


def _row(difference: "Difference") -> dict[str, Any]:
    return {"name": difference.name, "effect": str(difference.effect), "what": difference.what}
