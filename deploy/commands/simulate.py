"""`returpost simulate`: hand in a made-up mailing."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.cli.env_config import setting
from returpost.cli.installation import Installation
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant
from returpost.errors import InvalidSettings

if TYPE_CHECKING:
    from deploy.demo.replies import Receiver
    from deploy.demo.simulation import Mailing


def simulate(
    recipients: Annotated[int, typer.Option("--recipients", "-n", min=1, max=50_000_000)] = 10_000,
    hard: Annotated[float, typer.Option(min=0, max=1, help="Share that fails for good.")] = 0.04,
    soft: Annotated[float, typer.Option(min=0, max=1, help="Share that fails at first.")] = 0.05,
    complained: Annotated[float, typer.Option(min=0, max=1, help="Share of the delivered that complains.")] = 0.0005,
    opened: Annotated[float, typer.Option(min=0, max=1, help="Share of the delivered that opens.")] = 0.25,
    domains: Annotated[str, typer.Option(help="Receiving domains with shares: gmail.example=0.7,a.example=0.3")] = "",
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share handed in twice.")] = 0.01,
    junk: Annotated[float, typer.Option(min=0, max=1, help="Junk messages among the messages.")] = 0.0,
    in_order: Annotated[bool, typer.Option("--in-order", help="Without disorder.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed makes the same mailing.")] = 1,
    mailing: Annotated[str, typer.Option(help="Its name; by default a new one each time.")] = "",
    tenant: Tenant = TENANT,
    sender: Annotated[str, typer.Option(help="The sending system, which `up --senders` has named.")] = "default",
    obey: Annotated[bool, typer.Option("--obey", help="Then go on, and obey retry commands until Ctrl-C.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what should come out.")] = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Hand in the results of a made-up mailing through the broker, 50 a message, with confirms.

    Addresses are under .example; replies are written after those of real servers. With --obey, soft bounces heal when
    they are sent again. A mailing with --hard 0.1 or --complained 0.003 is paused before long, and its retries wait.

    \b
    returpost simulate
    returpost simulate -n 1000000 --soft 0.1 --junk 0.005 --obey
    """
    from deploy.demo.simulation import Mailing, Mix, past_start
    from returpost.cli.options import names
    from returpost.cli.terminal import err, out, print_json, table

    names(tenant, "--tenant"), names(sender, "--sender")
    now = datetime.now(UTC)
    made = Mailing(
        recipients,
        seed,
        tenant,
        mailing or f"simulated-{now:%Y%m%d-%H%M%S}",
        sender,
        past_start(now, recipients),
        Mix(hard, soft, complained, opened),
        duplicates=duplicates,
        disorder=not in_order,
        junk=junk,
    )
    if domains:
        made = replace(made, receivers=receivers_of(domains))
    counts = _counts(made)
    if not dry_run:
        url = _sender_url(Installation(directory), sender)
        counts["messages"] = asyncio.run(_run(made, url, obey))
    if as_json:
        print_json(counts)
        return
    out.print(table(f"Mailing {made.mailing}", ("what", "number"), list(counts.items())[2:]))
    if not obey and not dry_run:
        err.print("Nobody answers retry commands now; --obey does.")


def receivers_of(text: str) -> "tuple[Receiver, ...]":
    """Read `domain=share,...`. Raises `InvalidSettings`."""
    from deploy.demo.replies import Receiver
    from returpost.contracts.addresses import normalise
    from returpost.errors import InvalidAddress

    found = []
    for part in text.split(","):
        domain, _, share = part.strip().partition("=")
        try:
            normalise(f"x@{domain}")
            number = float(share)
        except (InvalidAddress, ValueError):
            raise InvalidSettings(f"--domains: {part!r}; write a domain and its share: gmail.example=0.7") from None
        if not 0 < number < float("inf"):
            raise InvalidSettings(f"--domains: the share of {domain} must be above 0")
        found.append(Receiver(domain.lower(), number, f"mx.{domain.lower()}"))
    return tuple(found)


def _counts(mailing: "Mailing") -> dict[str, Any]:
    """Return what the sender knows: how many of what it will hand in, before any retry."""
    from deploy.demo.simulation import expected

    first = expected(mailing, retries=0)
    bounced: dict[str, int] = {}
    for (type_, _), count in first.verdicts.items():
        bounced[type_.value] = bounced.get(type_.value, 0) + count
    return {
        "tenant": mailing.tenant,
        "mailing": mailing.mailing,
        "recipients": mailing.recipients,
        "results": first.results - first.recovered,
        "hard bounces": bounced.get("hard", 0),
        "soft bounces": bounced.get("soft", 0),
        "complaints": first.complained,
        "opens": first.opened,
    }


def _sender_url(installation: Installation, sender: str) -> str:
    running = installation.running()
    if url := setting("AMQP_URL"):
        return url
    if running is None:
        raise InvalidSettings("RETURPOST_AMQP_URL is not set, and nothing runs here; `returpost up` starts it")
    if sender not in running.sender_urls:
        raise InvalidSettings(f"--sender: {sender} has no queue here; start with `returpost up --senders {sender}`")
    return running.sender_urls[sender]


async def _run(mailing: "Mailing", url: str, obey: bool) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from deploy.demo.sender import simulated_sender
    from deploy.demo.simulation import MESSAGE_EVENTS, simulate as messages
    from returpost.cli.terminal import err, say

    columns = (TextColumn("messages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    estimate = round(mailing.recipients * (1 + mailing.mix.opened + mailing.duplicates) / MESSAGE_EVENTS)
    async with simulated_sender(mailing, url) as sender:
        answering = asyncio.create_task(sender.obey()) if obey else None
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("", total=estimate)
            published = await sender.hand_in(messages(mailing), lambda: progress.advance(task))
        if answering:
            say(f"{published:,} messages handed in; obeying retry commands until Ctrl-C")
            await answering
    return published
