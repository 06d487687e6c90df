"""`returpost retries`: what waits to be tried again; drop, run now, resume."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.errors import InvalidSettings

Recipients = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of retries (see `list`).")]
Mailing = Annotated[str | None, typer.Option(help="Only of this mailing.")]
Domain = Annotated[str | None, typer.Option(help="Only at this receiving domain.")]
Reason = Annotated[str | None, typer.Option(help="Only with this reason, as mailbox_full.")]
Sender = Annotated[str | None, typer.Option(help="Only of this sending system.")]
All = Annotated[bool, typer.Option("--all", help="All retries of the tenant.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count them.")]
PAGE = 1000

ACTIONS = {
    "drop": """Cancel retries; `resume` takes it back.

    \b
    returpost retries drop --mailing newsletter-48 --dry-run
    returpost retries drop --mailing newsletter-48 --domain example.com""",
    "run-now": """Make pending retries due now, as fast as the limit of each receiving domain allows.

    \b
    returpost retries run-now --domain example.com""",
    "resume": """Have dropped retries wait again, each for the time at which it was due.

    \b
    returpost retries resume --mailing newsletter-48""",
}

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Retries: list them, drop, run now or resume them.")


@app.command("list")
def list_retries(
    state: Annotated[
        str, typer.Option(help="waiting, requested, recovered, failed, exhausted, dropped, lost or paused.")
    ] = "waiting",
    tenant: Tenant = TENANT,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many at most.")] = 50,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List retries in one state, and count those in every state.

    \b
    returpost retries list
    returpost retries list --state lost --json
    """
    from returpost.cli.terminal import out, print_json, table

    client = api(directory)
    found = client.get("classifier", "/v1/retries", tenant=tenant, state=state, limit=limit)["items"]
    if as_json:
        print_json(found)
        return
    counts: list[dict[str, Any]] = client.get("classifier", "/v1/retries/counts", tenant=tenant)["items"]
    out.print(table(None, ("state", "recipients"), [(row["state"], row["count"]) for row in counts]))
    columns = ("recipient", "address", "mailing", "sender", "reason", "soft_bounces", "due", "requested_at")
    out.print(table(state, columns, [[row[column] for column in columns] for row in found]))


def _command(action: str) -> Callable[..., None]:
    """Return the command that does this with the retries that its options choose."""

    def command(
        recipients: Recipients = None,
        mailing: Mailing = None,
        domain: Domain = None,
        reason: Reason = None,
        sender: Sender = None,
        everything: All = False,
        dry_run: DryRun = False,
        tenant: Tenant = TENANT,
        directory: Folder = FOLDER,
        as_json: Json = False,
    ) -> None:
        choice = _choice(recipients, mailing, domain, reason, sender, everything)
        _act(action, choice, dry_run, tenant, directory, as_json)

    return command


for _action, _help in ACTIONS.items():
    app.command(_action, help=_help)(_command(_action))


@app.command()
def history(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show who dropped, ran or resumed how many retries, newest first."""
    from returpost.cli.terminal import out, print_json, table

    found: list[dict[str, Any]] = api(directory).get("classifier", "/v1/retries/actions", tenant=tenant)["items"]
    if as_json:
        print_json(found)
        return
    rows = [(row["time"], row["actor"], row["action"], row["retries"], json.dumps(row["selection"])) for row in found]
    out.print(table(None, ("time", "actor", "action", "retries", "selection"), rows))


@app.command()
def unknown(
    undetermined: Annotated[bool, typer.Option("--undetermined", help="Leave out texts whose code decided.")] = False,
    tenant: Tenant = TENANT,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many at most.")] = 30,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Show the reply texts that no rule matches, most frequent first: where the next rule helps most.

    \b
    returpost retries unknown --undetermined
    """
    from returpost.cli.terminal import out, print_json, table

    found: list[dict[str, Any]] = api(directory).get(
        "classifier", "/v1/unknown-texts", tenant=tenant, limit=limit, only_undetermined=undetermined
    )["items"]
    if as_json:
        print_json(found)
        return
    rows = [(row["bounces"], row["mailings"], ", ".join(row["reasons"]), row["text"]) for row in found]
    out.print(table(None, ("bounces", "mailings", "judged", "text"), rows))
    out.print("Next: write a rule for the first of them, and try it with `returpost rules test`.")


def _choice(
    recipients: list[str] | None,
    mailing: str | None,
    domain: str | None,
    reason: str | None,
    sender: str | None,
    everything: bool,
) -> dict[str, Any]:
    """Return what was chosen. Raises `InvalidSettings` when that is nothing, or all and not all."""
    named: dict[str, Any] = {
        "recipients": recipients or None,
        "mailing": mailing,
        "domain": domain,
        "reason": reason,
        "sender": sender,
    }
    chosen = {name: value for name, value in named.items() if value is not None}
    if everything == bool(chosen):
        raise InvalidSettings(
            "specify at least one filter: ids, --mailing, --domain, --reason, --sender; or --all, alone"
        )
    return {"all": True} if everything else chosen


def _act(action: str, choice: dict[str, Any], dry_run: bool, tenant: str, directory: Any, as_json: bool) -> None:
    from returpost.cli.terminal import out, print_json

    body = json.dumps({"action": action.replace("-", "_"), "selection": choice, "dry_run": dry_run}).encode()
    path = "/v1/retries/actions"
    done = api(directory).call("classifier", "POST", path, {"tenant": tenant}, body)
    if as_json:
        print_json(done)
    elif dry_run:
        out.print(f"{done['retries']:,} retries would change; nothing was done.")
    else:
        out.print(f"{action}: {done['retries']:,} retries.")
