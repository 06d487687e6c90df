"""`returpost up`: everything on this machine."""

from typing import Annotated

import typer

from returpost.cli.installation import PROGRAMS
from returpost.cli.options import FOLDER, SENDERS, Folder, RecreateStreams, Senders
from returpost.errors import InvalidSettings

MAX_WORKERS = 64


def up(
    only: Annotated[str, typer.Option(help="Start these services alone, by commas: ingest,classifier")] = "",
    workers: Annotated[list[str] | None, typer.Option(help="More processes of a service: --workers ingest=2")] = None,
    share_http: Annotated[
        bool, typer.Option(help="Have all processes of a service answer on its port, not the first alone.")
    ] = False,
    senders: Senders = SENDERS,
    directory: Folder = FOLDER,
    single_role: Annotated[bool, typer.Option(help="One database user for all, when no roles can be made.")] = False,
    recreate_streams: RecreateStreams = False,
    json_logs: Annotated[bool, typer.Option(help="Logs as JSON lines instead of text for people.")] = False,
) -> None:
    """Start RabbitMQ, PostgreSQL and every service, each as its own process, and keep them running.

    RETURPOST_AMQP_URL (with RETURPOST_AMQP_MANAGEMENT_URL) and RETURPOST_DATABASE_URL name servers to use in place of
    own ones. One Ctrl-C finishes what is in hand and stops all; a second one ends at once.

    \b
    returpost up
    returpost up --only ingest,classifier
    returpost up --workers classifier=2 --workers actions=2 --senders newsletter,invoices
    returpost up --workers ingest=2 --share-http
    """
    import asyncio

    from deploy.local.local_stack import Options, operate, system
    from returpost.cli.installation import Installation
    from returpost.cli.terminal import err, prefixed, say, table

    options = Options(
        services_of(only),
        workers_of(workers or []),
        senders_of(senders),
        single_role,
        console_logs=not json_logs,
        recreate_streams=recreate_streams,
        share_http=share_http,
    )
    with system(Installation(directory), options, say) as (running, programs):

        async def tell_and_wait() -> int:
            rows = [(name, url, f"{url}/docs") for name, url in running.urls.items() if name != "console"]
            err.print(table("Returpost is ready", ("service", "API", "pages"), rows))
            if "console" in running.urls:
                err.print(f"The web page:      {running.urls['console']}", highlight=False)
                err.print(
                    "A user for it:     returpost user add --tenant demo --role administrator NAME", highlight=False
                )
            err.print("Hand in results:   returpost send results.jsonl", highlight=False)
            err.print("A token for curl:  returpost token --scopes send,read --tenant demo", highlight=False)
            await asyncio.Event().wait()
            return 0

        write = prefixed([program.name for program in programs])
        asyncio.run(operate(running, programs, write, say, tell_and_wait))
    say("stopped")


def services_of(only: str) -> tuple[str, ...]:
    """Return the services that are meant; nothing said: all. Raises `InvalidSettings`."""
    asked = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(asked) - set(PROGRAMS):
        raise InvalidSettings(f"--only: no service {', '.join(sorted(unknown))}; there are {', '.join(PROGRAMS)}")
    return tuple(service for service in PROGRAMS if not asked or service in asked)


def workers_of(asked: list[str]) -> dict[str, int]:
    """Read `service=number`. Raises `InvalidSettings`."""
    found: dict[str, int] = {}
    for text in ",".join(asked).split(","):
        service, _, number = text.strip().partition("=")
        if not service:
            continue
        if service not in PROGRAMS or not number.isdigit() or not 1 <= int(number) <= MAX_WORKERS:
            raise InvalidSettings(f"--workers: {text!r}; write a service and a number up to {MAX_WORKERS}: ingest=2")
        found[service] = int(number)
    return found


def senders_of(text: str) -> dict[str, tuple[str, ...]]:
    """Return the senders, each with its tenants. Raises `InvalidSettings`."""
    from returpost.cli.options import names_and_tenants

    found = names_and_tenants(text, "--senders")
    if not found:
        raise InvalidSettings("--senders: name at least one")
    return found
