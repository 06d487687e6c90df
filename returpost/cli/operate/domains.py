"""`returpost domains`: whole domains that mailings skip."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api

PATH = "/v1/domain-blocks"
Domains = Annotated[list[str], typer.Argument(help="As example.com; *.example.com stands for all its subdomains.")]
Why = Annotated[str, typer.Option(help="Why, for the history.")]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Whole domains: block them, lift that, list and look up."
)


@app.command()
def block(
    domains: Domains,
    note: Why,
    until: Annotated[str | None, typer.Option(help="When it ends by itself, as 2026-12-24T00:00:00Z.")] = None,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
) -> None:
    """Block every address of these domains.

    \b
    returpost domains block gone.example "*.gone.example" --note "closed down"
    """
    _command(PATH, {"domains": domains, "note": note, "until": until}, tenant, directory)


@app.command()
def lift(domains: Domains, note: Why, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Lift blocks of domains, each as it was named; addresses that are blocked for themselves stay blocked.

    \b
    returpost domains lift gone.example --note "it is back"
    """
    _command(f"{PATH}/lift", {"domains": domains, "note": note}, tenant, directory)


@app.command("list")
def list_domains(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """List the blocked domains.

    \b
    returpost domains list --tenant demo
    """
    from returpost.cli.terminal import out, print_json, table

    found = list(api(directory).pages("blocklist", PATH, tenant=tenant, limit=1_000))
    if as_json:
        print_json(found)
        return
    columns = ("domain", "since", "until", "by", "note")
    out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


@app.command()
def lookup(domain: str, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Tell whether the addresses of a domain are skipped, why, and what was said of it before.

    \b
    returpost domains lookup mail.gone.example
    """
    from returpost.cli.terminal import out, print_json, table

    found: dict[str, Any] = api(directory).get("blocklist", f"{PATH}/{quote(domain, safe='')}", tenant=tenant)
    if as_json:
        print_json(found)
        return
    until = f", until {found['until']}" if found["until"] else ""
    why = f"blocked ({found['pattern']}) by {found['by']} since {found['since']}{until}: {found['note']}"
    out.print(f"{found['domain']}: {why if found['blocked'] else 'not blocked'}", highlight=False)
    columns = ("domain", "since", "by", "note", "lifted_at", "lifted_by", "lift_note")
    if found["history"]:
        out.print(table("History", columns, [[row[column] for column in columns] for row in found["history"]]))


def _command(path: str, values: dict[str, Any], tenant: str, directory: Any) -> None:
    from returpost.cli.terminal import err

    api(directory).call("blocklist", "POST", path, {"tenant": tenant}, json.dumps(values).encode())
    err.print(f"{len(values['domains'])} domains: done")
