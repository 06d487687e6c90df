"""`returpost erase`, `erasures`, `traces`: forget an address everywhere, see what waits, and where it still stands."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from returpost.cli.env_config import setting
from returpost.cli.installation import Home
from returpost.cli.jobs import agreed
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api, urls_of
from returpost.errors import InvalidSettings, ReturpostError, Unavailable

WITHOUT_TABLES = ("console",)
PAGE = 1_000


def erase(
    addresses: Annotated[list[str], typer.Argument(help="One or several, in any form.")],
    tenant: Tenant = TENANT,
    now: Annotated[bool, typer.Option("--now", help="Do not wait, and hurry what waits.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: Folder = FOLDER,
) -> None:
    """Remove addresses with all that is known of them from every service. What is done cannot be undone.

    With the setting `erase_after_days` it waits so long; until then `returpost erasures` lists it, `returpost blocked
    undo --erasure` undoes it, and nothing changes.

    \b
    returpost erase ann@example.com --tenant demo
    returpost traces ann@example.com --tenant demo
    """
    from returpost.cli.terminal import err

    for address in addresses:
        _read(address)
    if agreed(f"Erase {', '.join(addresses)} of {tenant} for ever?", yes=yes):
        body = json.dumps({"addresses": addresses, "now": now}).encode()
        done = api(Home(directory)).call("blocklist", "POST", "/v1/addresses/erase", {"tenant": tenant}, body)
        if done["due"]:
            err.print(f"It waits until {done['due']}; until then `returpost blocked undo --erasure` undoes it.")
            return
        err.print("Erased here; the other services do it as they hear of it. `returpost traces` tells when it is gone.")


def erasures(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """List the erasures that wait: who asked for them, when, and when they are due.

    \b
    returpost erasures --tenant demo
    returpost blocked undo --erasure ann@example.com
    returpost erase ann@example.com --now
    """
    from returpost.cli.terminal import out, print_json, table

    found = list(api(Home(directory)).pages("blocklist", "/v1/erasures", "erasures", tenant=tenant, limit=PAGE))
    if as_json:
        print_json(found)
    else:
        columns = ("address", "due", "time", "by")
        out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


def traces(
    address: Annotated[str, typer.Argument(help="As ann@example.com, in any form.")],
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Search every table of every service, every queue and every stream for an address: the proof of an erasure.

    It reads all of them, and takes as long; messages that wait in queues go back and count as delivered once more.
    Streams let go of what they have by their age; a keyed hash tells that the address was erased, and not the address.

    Exit code 0: no table and no queue has it; 1: one does, or could not be asked.

    \b
    returpost traces ann@example.com --tenant demo
    """
    from returpost.cli.terminal import err, out, print_json, table

    home = Home(directory)
    _read(address)
    services = {
        service: _asked(home, service, tenant, address) for service in urls_of(home) if service not in WITHOUT_TABLES
    }
    broker = _broker(home, tenant, address)
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
        err.print("No table and no queue has it." if not left else "It still stands in tables or queues.")
    raise typer.Exit(1 if left or missing else 0)


def _read(address: str) -> None:
    """Raise `InvalidSettings` when it is no address."""
    from returpost.contracts.addresses import normalise
    from returpost.errors import InvalidAddress

    try:
        normalise(address)
    except InvalidAddress as error:
        raise InvalidSettings(f"{address}: {error}") from None


def _asked(home: Home, service: str, tenant: str, address: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = api(home).call(
            service, "POST", "/v1/residual-searches", {"tenant": tenant}, json.dumps({"address": address}).encode()
        )
    except Unavailable as error:
        return {"problem": str(error)}
    return found


def _broker(home: Home, tenant: str, address: str) -> dict[str, Any]:
    from deploy.broker_search import STREAMS, search
    from shared.database.residual_search import forms

    running = home.running()
    url = setting("AMQP_URL") or (running.amqp_url if running else None)
    if url is None:
        return {"places": [], "problem": "RETURPOST_AMQP_URL is not set, and nothing runs here"}
    try:
        said = asyncio.run(search(url, tenant, forms(address), running.senders if running else ("default",)))
    except ReturpostError as error:
        return {"places": [], "problem": str(error)}
    return {"places": [asdict(one) | {"ages": one.place in STREAMS} for one in said]}
