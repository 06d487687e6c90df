"""`returpost blocked`: whom mailings skip, and why."""

import json
from itertools import islice
from typing import Annotated, Any
from urllib.parse import quote

import typer

from returpost.cli.background_jobs import came_to, followed
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.cli.query.suppression_files import export_list, import_list
from returpost.errors import InvalidSettings

PAGE = 1000
UNDONE = {"take_back": "taken back", "lift": "lifted", "block": "blocked again"}
UNDONE |= {"nothing": "nothing to undo"}
"""What became of an address, by what the service says was done."""

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
    from returpost.cli.terminal import err, out, print_json, table

    wanted = {"cause": cause, "reason": reason, "domain": domain, "limit": min(PAGE, limit + 1)}
    rows = api(directory).pages("blocklist", "/v1/blocks", tenant=tenant, **wanted)
    found = list(islice(rows, limit))
    more = next(rows, None) is not None
    if as_json:
        print_json(found)
        return
    columns = ("address", "cause", "reason", "return_count", "since", "by")
    out.print(table(None, columns, [[row.get(column) for column in columns] for row in found]))
    if more:
        err.print(f"There are more; --limit {limit * 10} shows them.")


@app.command()
def lookup(address: str, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Tell all that is known of one address: whether it is blocked, its return count and its history.

    \b
    returpost blocked lookup ann@example.com
    """
    from returpost.cli.terminal import out, print_json, table
    from returpost.contracts.addresses import normalise
    from returpost.errors import InvalidAddress

    try:
        asked = normalise(address)
    except InvalidAddress as error:
        raise InvalidSettings(str(error)) from None
    found: dict[str, Any] = api(directory).get("blocklist", f"/v1/addresses/{quote(asked, safe='')}", tenant=tenant)
    if as_json:
        print_json(found)
        return
    out.print(found["why"], highlight=False)
    hidden = ("why", "version", "history", "changes")
    facts = [(name.replace("_", " "), str(value)) for name, value in found.items() if name not in hidden and value]
    out.print(table(None, ("fact", "value"), facts))
    if found["changes"]:
        names = ("at", "blocked", "cause", "reason", "subject", "by", "note", "rule", "settings_version", "until")
        rows = [[row[name] for name in names] for row in found["changes"]]
        out.print(table("Blocks and lifts, newest first; `blocked undo` undoes the first", names, rows))
    if found["history"]:
        columns = ("time", "mailing", "reason", "effect", "settled_by", "status", "rule", "text")
        out.print(
            table("History, newest first", columns, [[row[name] for name in columns] for row in found["history"]])
        )


Addresses = Annotated[list[str], typer.Argument(help="One or several.")]
Note = Annotated[str, typer.Option(help="Why, for the history.")]


@app.command()
def add(
    addresses: Addresses,
    until: Annotated[str | None, typer.Option(help="When it ends by itself, as 2026-12-31T00:00:00Z.")] = None,
    note: Note = "",
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
) -> None:
    """Block addresses by hand, until a time or until they are cleared.

    \b
    returpost blocked add ann@example.com --note "asked by phone" --until 2026-12-31T00:00:00Z
    """
    body = {"addresses": addresses, "note": note} | ({"until": until} if until else {})
    _tell("Blocked", _post(directory, "", tenant, body))


@app.command()
def clear(addresses: Addresses, note: Note = "", tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Clear the bounce-flag: lift the blocks, zero the counts, keep the history.

    \b
    returpost blocked clear ann@example.com --note "the mailbox works again"
    """
    _tell("Cleared", _post(directory, "/clear", tenant, {"addresses": addresses, "note": note}))


@app.command()
def undo(
    addresses: Annotated[list[str] | None, typer.Argument(help="Undo the last block or lift of each.")] = None,
    import_: Annotated[str | None, typer.Option("--import", help="Undo all that this import did.")] = None,
    note: Note = "",
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
) -> None:
    """Undo the last block or lift of addresses, or a whole import. `returpost why` shows what there is to undo.

    \b
    returpost blocked undo ann@example.com
    returpost blocked undo --import 0b54d6a2-4e0c-5b39-9a3e-6a6f1c1d2e3f
    """
    from returpost.cli.terminal import out

    if (not addresses) == (import_ is None):
        raise InvalidSettings("specify addresses, or --import with its id, not both")
    if import_ is not None:
        begun = _post(directory, f"/imports/{quote(import_, safe='')}/undo", tenant, {})
        out.print(came_to(followed(api(directory), tenant, begun)))
    else:
        counts = _post(directory, "/undo", tenant, {"addresses": addresses, "note": note})
        out.print(", ".join(f"{UNDONE[what]}: {number:,}" for what, number in counts.items() if number))


def _tell(done: str, counts: dict[str, int]) -> None:
    from returpost.cli.terminal import err

    err.print(f"{done}: {counts['addresses']:,}. `returpost blocked undo` takes it back.")


def _post(directory: Any, path: str, tenant: str, body: dict[str, Any]) -> Any:
    raw = json.dumps(body).encode()
    return api(directory).call("blocklist", "POST", f"/v1/blocks{path}", {"tenant": tenant}, raw)
