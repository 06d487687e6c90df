"""`returpost erase`: erase addresses everywhere, list and undo erasures that wait, verify that nothing is left."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from returpost.cli import server
from returpost.cli.http.api import Api
from returpost.cli.installation import Installation
from returpost.cli.operate.jobs import agreed
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api, urls_of
from returpost.errors import InvalidSettings, Unavailable

WITHOUT_TABLES = ("console",)
PAGE = 1_000
DEFAULT = "address"
"""The subcommand whose name may be left out: `returpost erase ann@example.com`."""
UNDONE = {"undone": "cancelled", "nothing": "not waiting"}
"""What became of an address, by what the service answers."""
NEEDS_SERVER = "needs the server: run it from a checkout of Returpost or in its image"


class DefaultGroup(TyperGroup):
    """Takes what is not the name of a subcommand for the argument of `address`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the default subcommand in front where none is named."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=DefaultGroup,
    no_args_is_help=True,
    add_completion=False,
    help="""Erase addresses, see and undo erasures that wait, verify that nothing is left.

    \b
    returpost erase ann@example.com
    returpost erase verify ann@example.com""",
)
Addresses = Annotated[list[str], typer.Argument(help="One or several, in any form.")]


@app.command(DEFAULT)
def erase(
    addresses: Addresses,
    tenant: Tenant = TENANT,
    now: Annotated[bool, typer.Option("--now", help="Do not wait, whatever `erase_after_days` says.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: Folder = FOLDER,
) -> None:
    """Erase addresses with their history from every service; the word `address` may be left out.

    It cannot be undone. With the setting `erase_after_days` an erasure waits so many days: until then `returpost erase
    list` shows it, `returpost erase undo` cancels it, and nothing changes.

    \b
    returpost erase ann@example.com --tenant demo
    returpost erase verify ann@example.com --tenant demo
    """
    from returpost.cli.terminal import err

    for address in addresses:
        _read(address)
    if agreed(f"Erase {', '.join(addresses)} of {tenant} permanently?", yes=yes):
        done = _request(directory, tenant, addresses, now=now)
        if done["due"]:
            err.print(f"Waits until {done['due']}; until then `returpost erase undo` cancels it.")
            return
        err.print("Erased here; the other services follow. `returpost erase verify` tells when nothing is left.")


@app.command("list")
def list_erasures(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """List the erasures that wait: who requested them, when, and when they are due.

    \b
    returpost erase list --tenant demo
    """
    from returpost.cli.terminal import out, print_json, table

    found = list(api(directory).pages("blocklist", "/v1/erasures", tenant=tenant, limit=PAGE))
    if as_json:
        print_json(found)
    else:
        columns = ("address", "due", "time", "by")
        out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


@app.command()
def undo(addresses: Addresses, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Cancel erasures that wait.

    \b
    returpost erase undo ann@example.com
    """
    from returpost.cli.terminal import out

    for address in addresses:
        _read(address)
    body = json.dumps({"addresses": addresses}).encode()
    counts: dict[str, int] = api(directory).call("blocklist", "POST", "/v1/erasures/undo", {"tenant": tenant}, body)
    out.print(", ".join(f"{UNDONE.get(what, what)}: {number:,}" for what, number in counts.items()))


@app.command("run-now")
def run_now(
    addresses: Addresses,
    tenant: Tenant = TENANT,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: Folder = FOLDER,
) -> None:
    """Run erasures that wait now. It cannot be undone.

    \b
    returpost erase run-now ann@example.com
    """
    from returpost.cli.terminal import err

    for address in addresses:
        _read(address)
    if agreed(f"Erase {', '.join(addresses)} of {tenant} permanently, now?", yes=yes):
        _request(directory, tenant, addresses, now=True)
        err.print("Erased here; the other services follow. `returpost erase verify` tells when nothing is left.")


@app.command()
def verify(
    address: Annotated[str, typer.Argument(help="As ann@example.com, in any form.")],
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Search every table of every service, every queue and every stream for an address: the proof of an erasure.

    The search reads all of them and takes accordingly long. Messages that wait in queues are put back and count as
    delivered once more. Streams drop messages by age. A keyed hash says that an address was erased, not which.

    Queues and streams are searched where the server is importable and knows the broker (RETURPOST_AMQP_URL).

    Exit code 0: no table and no queue contains it; 1: one does, or could not be searched.

    \b
    returpost erase verify ann@example.com --tenant demo
    """
    from returpost.cli.terminal import err, out, print_json, table

    _read(address)
    installation, client = Installation(directory), api(directory)
    services = {
        service: _search(client, service, tenant, address)
        for service in urls_of(installation)
        if service not in WITHOUT_TABLES
    }
    broker = _search_broker(installation, tenant, address)
    rows: list[tuple[Any, ...]] = []
    for service, answer in services.items():
        if "problem" in answer:
            rows.append((service, "not searched", answer["problem"]))
            continue
        rows += [(f"{service}.{one['table']}.{one['column']}", one["rows"], "") for one in answer["found"]]
        rows += [(f"{service}.{name}", "a keyed hash", "that it was erased") for name in answer["hashed"]]
    rows += [
        (one["place"], one["messages"], f"from {one['oldest']} to {one['newest']}")
        for one in broker["places"]
        if one["messages"]
    ]
    left = [one for answer in services.values() for one in answer.get("found", [])]
    left += [one for one in broker["places"] if one["messages"] and not one["ages"]]
    missing = [place for place, answer in {**services, "broker": broker}.items() if "problem" in answer]
    if as_json:
        print_json({"services": services, **broker, "clean": not left and not missing})
    else:
        out.print(table(None, ("where", "how much", "what"), rows))
        count = sum(len(answer.get("searched", [])) for answer in services.values())
        messages = sum(one["searched"] for one in broker["places"])
        err.print(f"{count} tables, {len(broker['places'])} queues and streams with {messages:,} messages searched.")
        for place in missing:
            err.print(f"{place}: not searched")
        err.print("No table and no queue contains it." if not left else "Tables or queues still contain it.")
    raise typer.Exit(1 if left or missing else 0)


def _request(directory: Path, tenant: str, addresses: list[str], *, now: bool) -> dict[str, Any]:
    body = json.dumps({"addresses": addresses, "now": now}).encode()
    path = "/v1/addresses/erase"
    done: dict[str, Any] = api(directory).call("blocklist", "POST", path, {"tenant": tenant}, body)
    return done


def _read(address: str) -> None:
    """Raise `InvalidSettings` when it is no address."""
    from returpost.contracts.addresses import normalise
    from returpost.errors import InvalidAddress

    try:
        normalise(address)
    except InvalidAddress as error:
        raise InvalidSettings(f"{address}: {error}") from None


def _search(client: Api, service: str, tenant: str, address: str) -> dict[str, Any]:
    body = json.dumps({"address": address}).encode()
    try:
        found: dict[str, Any] = client.call(service, "POST", "/v1/residual-searches", {"tenant": tenant}, body)
    except Unavailable as error:
        return {"problem": str(error)}
    return found


def _search_broker(installation: Installation, tenant: str, address: str) -> dict[str, Any]:
    if not server.is_here():
        return {"places": [], "problem": NEEDS_SERVER}
    found: dict[str, Any] = server.hook("search_broker")(installation, tenant, address)
    return found
