"""`returpost demo`: see it work."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.cli.installation import Installation
from returpost.cli.options import FOLDER, Folder, Json

if TYPE_CHECKING:
    from deploy.demo.demo import Outcome, Progress

LIMIT = 300.0
INTERRUPTED = 130
"""As a shell says it of a command that Ctrl-C has ended."""


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End when all is shown; exit code 1 when it does not add up.")
    ] = False,
    recipients: Annotated[int, typer.Option(min=100, max=200_000)] = 10_000,
    limit: Annotated[float, typer.Option(help="Seconds after which it is given up.")] = LIMIT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Start everything, hand in real-looking bounce mails and a simulated mailing, and show what comes of it.

    Soft bounces are retried on a fast clock (2 s, 4 s, 6 s). All figures come from the services' HTTP APIs and are held
    against what the simulation expects. Afterwards the system keeps running, to be looked at, until Ctrl-C.

    \b
    returpost demo
    returpost demo --once --recipients 100000
    """
    from deploy.commands.hooks import own_token
    from deploy.demo.demo import SENDER, SETTINGS, Demo
    from deploy.demo.samples import expectations, paths
    from deploy.local.local_stack import Options, operate, system
    from returpost.cli.http.api import Api
    from returpost.cli.operate.user import generate_password, make
    from returpost.cli.terminal import err, print_json, say, to_files

    installation = Installation(directory)
    options = Options(senders=dict.fromkeys(("default", SENDER), ()), settings=SETTINGS, console_logs=False)
    with system(installation, options, say) as (running, programs):
        say(f"starting {len(programs)} services; their logs are in {installation.logs()}")

        shown = False

        async def show() -> int:
            nonlocal shown
            with _bars() as progress:
                api = Api(running.urls, own_token(installation))
                judged = Counter((mail.type, mail.reason) for mail in expectations())
                made = Demo(api, running.sender_urls[SENDER], recipients, paths(), judged, progress)
                outcome = await made.run(limit)
            if as_json:
                print_json(_plain(outcome))
            else:
                _tell(outcome)
            shown = True
            if not once:
                password = generate_password()
                make(api, outcome.tenant, password, tenant="*", home=outcome.tenant, role="administrator")
                _where_next(outcome, running.urls, password)
                await asyncio.Event().wait()
            return 0 if outcome.adds_up else 1

        write = to_files(installation.logs(), [program.name for program in programs])
        code = asyncio.run(operate(running, programs, write, say, show))
    err.print("stopped")
    raise typer.Exit(code if code is not None else 0 if shown else INTERRUPTED)


@contextmanager
def _bars() -> "Iterator[Progress]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from returpost.cli.terminal import err

    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=min(done, total), total=total)

        yield show


def _tell(outcome: "Outcome") -> None:
    from returpost.cli.terminal import out, table

    figures = outcome.figures
    verdicts = [
        (type_, reason, figures.verdicts[type_, reason], count - figures.verdicts[type_, reason])
        for (type_, reason), count in figures.all_verdicts.most_common()
    ]
    out.print(table("Verdicts by reason", ("verdict", "reason", "of the mailing", "of bounce mails"), verdicts))
    retries = [(state, figures.retries[state]) for state in sorted(figures.retries)]
    out.print(table("Soft bounces: what became of the recipients", ("retries", "recipients"), retries))
    blocked = [(cause, reason, count) for (cause, reason), count in figures.blocked.most_common()]
    out.print(table("Addresses blocked, and why", ("cause", "reason", "addresses"), blocked))
    mails = [
        *outcome.mails.most_common(),
        *([("not recognised", outcome.unrecognised)] if outcome.unrecognised else []),
    ]
    out.print(table("Bounce mails", ("recognised as", "mails"), mails))
    out.print(table("Recipients of the mailing", ("status", "recipients"), sorted(figures.recipients.items())))
    out.print(
        f"{outcome.first_pass_results:,} results of the tenant {outcome.tenant} in {outcome.first_pass_seconds:.1f} s, "
        f"from handing in to the last service: {outcome.per_second:,.0f} a second"
    )
    out.print(
        f"{outcome.agreed} of the {outcome.by_judgement.total()} verdicts on bounce mails are as people judged them"
    )
    wrong = [finding for finding in outcome.findings if finding.expected != finding.found]
    if wrong:
        rows = [(finding.what, finding.expected, finding.found) for finding in wrong]
        out.print(table("It does not add up", ("figure", "expected", "found"), rows))
    else:
        out.print(f"All {len(outcome.findings)} figures are what the simulation expects.")


def _where_next(outcome: "Outcome", urls: Mapping[str, str], password: str) -> None:
    from returpost.cli.terminal import err

    err.print(
        f"\nThe web page: {urls['console']}\n  user:     {outcome.tenant}\n  password: {password}\n"
        f"\nIt keeps running until Ctrl-C. In another terminal:\n"
        f"  returpost status\n"
        f"  returpost blocked list --tenant {outcome.tenant}\n"
        f"  returpost dead-letters list\n"
        f'  curl -H "Authorization: Bearer $(returpost token --tenant {outcome.tenant})" '
        f"{urls['classifier']}/v1/verdicts/counts\n"
        f"  {urls['actions']}/docs  (each service has such a page)",
        highlight=False,
    )


def _plain(outcome: "Outcome") -> dict[str, Any]:
    figures = outcome.figures
    return {
        "tenant": outcome.tenant,
        "adds_up": outcome.adds_up,
        "findings": [asdict(finding) for finding in outcome.findings],
        "verdicts": [{"type": t, "reason": r, "count": n} for (t, r), n in figures.all_verdicts.most_common()],
        "retries": figures.retries,
        "blocked": [{"cause": c, "reason": r, "count": n} for (c, r), n in figures.blocked.most_common()],
        "recipients": figures.recipients,
        "dead_letters": figures.dead_letters,
        "mails": dict(outcome.mails),
        "mails_not_recognised": outcome.unrecognised,
        "mail_verdicts": outcome.by_judgement.total(),
        "mail_verdicts_as_judged": outcome.agreed,
        "results": outcome.first_pass_results,
        "results_per_second": round(outcome.per_second, 1),
        "seconds": round(outcome.seconds, 1),
    }
