"""`returpost blocked`: whom mailings skip, and why."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from returpost.commands.lists import export_list, import_list
from returpost.commands.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.home import Home
from shared.errors import InvalidSettings

PAGE = 1000

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, look up, import and export blocked addresses."
)
app.command("import")(import_list)
app.command("export")(export_list)


@app.command("list")
def list_blocks(
    tenant: Tenant = TENANT,
    cause: Annotated[str | None, typer.Option(help="dead_address, return_count, complaint or manual.")] = None,
    reason: Annotated[str | None, typer.Option(help="As user_unknown.")] = None,
    domain: Annotated[str | None, typer.Option(help="Receiving domain.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List blocked addresses with why and since when.

    \b
    returpost blocked list --limit 20
    returpost blocked list --cause complaint --domain example.com
    returpost blocked list --tenant acme --limit 1000000 --json > blocked.json
    """
    from returpost.commands.terminal import err, out, print_json, table

    client = api(Home(directory))
    found: list[dict[str, Any]] = []
    after = None
    while len(found) < limit:
        wanted = {"cause": cause, "reason": reason, "domain": domain, "limit": min(PAGE, limit - len(found))}
        page = client.get("blocklist", "/v1/blocks", tenant=tenant, after=after, **wanted)
        found += page["blocks"]
        after = page["next"]
        if after is None:
            break
    if as_json:
        print_json(found)
        return
    columns = ("address", "cause", "reason", "return_count", "since", "by")
    out.print(table(None, columns, [[row.get(column) for column in columns] for row in found]))
    if after is not None:
        err.print(f"There are more; --limit {limit * 10} shows them.")


@app.command()
def lookup(address: str, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Tell all that is known of one address: whether it is blocked, its return count and its history.

    \b
    returpost blocked lookup ann@example.com
    """
    from returpost.commands.terminal import out, print_json, table
    from shared.addresses import normalise
    from shared.errors import InvalidAddress

    try:
        asked = normalise(address)
    except InvalidAddress as error:
        raise InvalidSettings(str(error)) from None
    found: dict[str, Any] = api(Home(directory)).get(
        "blocklist", f"/v1/addresses/{quote(asked, safe='')}", tenant=tenant
    )
    if as_json:
        print_json(found)
        return
    out.print(found["why"], highlight=False)
    hidden = ("why", "version", "history")
    facts = [(name.replace("_", " "), str(value)) for name, value in found.items() if name not in hidden and value]
    out.print(table(None, ("fact", "value"), facts))
    if found["history"]:
        columns = ("time", "mailing", "reason", "effect", "settled_by", "status", "rule", "text")
        out.print(
            table("History, newest first", columns, [[row[name] for name in columns] for row in found["history"]])
        )
