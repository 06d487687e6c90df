"""`returpost topology`: exchanges, queues and users of the broker."""

from typing import Annotated

import typer

from returpost.cli.env_config import setting
from returpost.cli.installation import Installation
from returpost.cli.options import FOLDER, SENDERS, Folder, Json, RecreateStreams, Senders
from returpost.errors import InvalidSettings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Declare or show exchanges, queues and users of the broker."
)

Crms = Annotated[
    str,
    typer.Option(help="CRMs, by commas, each with a user; NAME:TENANT+TENANT limits to tenants."),
]


@app.command()
def apply(
    senders: Senders = SENDERS, crms: Crms = "", directory: Folder = FOLDER, recreate_streams: RecreateStreams = False
) -> None:
    """Declare the topology at RETURPOST_AMQP_URL, and its users through RETURPOST_AMQP_MANAGEMENT_URL; removes nothing.

    Ages, lengths and delivery limits are policies: a change, as of RETURPOST_STREAM_DAYS (30), holds at once and loses
    nothing. What an earlier version declared keeps the numbers that it had, and the tighter one holds;
    --recreate-streams declares such streams anew: what they keep is lost to who has not read it, the database stays.

    In a cluster RETURPOST_QUEUE_GROUP_SIZE says on how many nodes each new queue is kept (3, 5), and leaders are spread
    over all nodes.

    Passwords are RETURPOST_<SERVICE>_AMQP_PASSWORD and RETURPOST_SENDER_<NAME>_AMQP_PASSWORD, else those of the
    installation. Without a management URL no users and no policies are made: all share the given user, and new queues
    get the numbers as their arguments, for ever.

    \b
    returpost topology apply --senders newsletter,invoices --crms crm
    returpost topology apply --senders acme-mail:acme,news:acme+beta --crms acme-crm:acme
    """
    from deploy.commands.up import senders_of
    from deploy.local.local_stack import declaration_of, secrets_of
    from deploy.rabbitmq import broker
    from returpost.cli.options import names_and_tenants
    from returpost.cli.terminal import say

    installation = Installation(directory)
    amqp_url, management_url = broker_of(installation)
    who, readers = senders_of(senders), names_and_tenants(crms, "--crms")
    made = broker.apply(
        amqp_url,
        management_url,
        who,
        secrets_of(installation, who, readers).broker,
        readers,
        declaration_of(recreate_streams, say),
    )
    say(f"declared; {len(made)} users" if management_url else "declared; no management URL, so no users were made")


@app.command()
def show(senders: Senders = SENDERS, as_json: Json = False, directory: Folder = FOLDER) -> None:
    """Show the topology, and what of it is at the broker when there is one.

    Exit code 1 when a queue is missing there.
    """
    from deploy.commands.up import senders_of
    from deploy.rabbitmq import broker
    from deploy.rabbitmq.definitions import definitions
    from returpost.cli.terminal import err, out, print_json, table
    from shared.messaging import topology

    who = senders_of(senders)
    if as_json:
        print_json(definitions(who))
    try:
        url, _ = broker_of(Installation(directory))
        states = {state.name: state for state in broker.states(url, who)}
    except InvalidSettings:
        states = {}
    rows = []
    for queue in topology.queues(who):
        state = states.get(queue.name)
        bound = "\n".join(f"{binding.exchange}  {binding.key}" for binding in queue.bindings)
        there = "not asked" if state is None else "yes" if state.exists else "missing"
        rows.append((queue.name, queue.arguments["x-queue-type"], bound, there))
    if not as_json:
        out.print(table(None, ("queue", "type", "bound to", "at the broker"), rows))
    missing = [state.name for state in states.values() if not state.exists]
    if missing:
        err.print(f"{len(missing)} queues are missing at the broker; `returpost topology apply` declares them")
        raise typer.Exit(1)


def broker_of(installation: Installation) -> tuple[str, str | None]:
    """Return AMQP and management URL: the environment's, else of what runs here. Raises `InvalidSettings`."""
    found = installation.running()
    if url := setting("AMQP_URL"):
        return url, setting("AMQP_MANAGEMENT_URL")
    if found is None:
        raise InvalidSettings("RETURPOST_AMQP_URL is not set, and nothing runs here")
    return found.amqp_url, found.management_url
