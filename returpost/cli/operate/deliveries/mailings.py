"""`returpost mailings`: which are paused and why; pause, resume, and the thresholds that do it."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from returpost.cli.operate.settings import change_of
from returpost.cli.options import FOLDER, TENANT, Folder, Json, Tenant, api
from returpost.errors import InvalidSettings

PATH = "/v1/stop-signals"
SHOWN = 20
KINDS = ("hard_bounces", "complaints", "sender_faults")
LEVELS = ("warning", "pause")
NUMBERS = ("least_results", "window_hours")

Mailing = Annotated[str, typer.Argument(help="The id of the mailing.")]
Why = Annotated[str, typer.Option("--why", help="Why, for the sender and the audit.")]
Changes = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME=VALUE...",
        help="As hard_bounces.pause=0.08, complaints.warning=none (off), least_results=500, window_hours=48.",
    ),
]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Mailings that bounce too much: list those paused, pause, resume, set thresholds.",
)


@app.command("list")
def list_paused(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """List the mailings that are paused, the last paused first.

    \b
    returpost mailings list --tenant demo
    """
    from returpost.cli.terminal import out, print_json, table

    found: list[dict[str, Any]] = api(directory).get("actions", "/v1/paused-mailings", tenant=tenant, limit=limit)[
        "items"
    ]
    if as_json:
        print_json(found)
        return
    columns = ("mailing", "name", "since", "by", "why")
    out.print(table(None, columns, [[row[column] for column in columns] for row in found]))


@app.command()
def show(mailing: Mailing, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show what counts for the thresholds of a mailing, which it has crossed, and whether it is paused.

    \b
    returpost mailings show spring-7
    """
    from returpost.cli.terminal import out, print_json, table

    found: dict[str, Any] = api(directory).get("actions", f"{_path(mailing)}/stop-signals", tenant=tenant)
    if as_json:
        print_json(found)
        return
    out.print(table("Recipients in the window", ("what", "number"), list(found["counts"].items())))
    columns = ("kind", "level", "count", "of_results", "threshold", "scope", "time")
    out.print(table("Crossed", columns, [[row[column] for column in columns] for row in found["breaches"]]))
    if pause := found["pause"]:
        turned = "Paused" if pause["paused"] else "Resumed"
        out.print(f"{turned} {pause['since']} by {pause['by']}: {pause['why']}")


@app.command()
def pause(mailing: Mailing, why: Why, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Tell the sender to pause a mailing; its retries wait.

    \b
    returpost mailings pause spring-7 --why "wrong subject"
    """
    _turn(mailing, "pause", why, tenant, directory)


@app.command()
def resume(mailing: Mailing, why: Why, tenant: Tenant = TENANT, directory: Folder = FOLDER) -> None:
    """Tell the sender to go on with a mailing; its retries go on too.

    \b
    returpost mailings resume spring-7 --why "old addresses removed"
    """
    _turn(mailing, "resume", why, tenant, directory)


@app.command()
def thresholds(tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show from which shares on mailings are warned of and paused."""
    from returpost.cli.terminal import out, print_json, table

    found: dict[str, Any] = api(directory).get("actions", PATH, tenant=tenant)
    if as_json:
        print_json(found)
        return
    out.print(table(None, ("share of recipients", *LEVELS), [(kind, *_levels(found[kind])) for kind in KINDS]))
    out.print(f"From {found['least_results']:,} recipients on, in {found['window_hours']} hours.")


@app.command()
def preview(changes: Changes, tenant: Tenant = TENANT, directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show which mailings of the last 90 days other thresholds would have paused; nothing is changed.

    \b
    returpost mailings preview hard_bounces.pause=0.08 least_results=500
    """
    from returpost.cli.terminal import err, out, print_json, table

    client = api(directory)
    wanted, _ = _changed(client.get("actions", PATH, tenant=tenant), changes)
    found = client.call("actions", "POST", f"{PATH}/preview", {"tenant": tenant}, json.dumps(wanted).encode())
    if as_json:
        print_json(found)
        return
    now, then = found["now"], found["would_be"]
    out.print(f"Of {found['mailings']:,} mailings {then['warned']:,} would be warned of (now {now['warned']:,}),")
    out.print(f"{then['paused']:,} of them paused (now {now['paused']:,}).")
    rows = [
        (row["mailing"], row["at"], row["sent"], row["unsent"], ", ".join(map(_crossed, row["crossed"])))
        for row in found["items"][:SHOWN]
    ]
    out.print(table("Some of them", ("mailing", "sent at", "recipients", "not sent to", "crossed"), rows))
    err.print("Nothing was changed. `returpost mailings set` with the same words does it.")


@app.command("set")
def change(
    changes: Changes,
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Change thresholds, at once and also for mailings that are being sent.

    \b
    returpost mailings set hard_bounces.pause=0.08 --note "a shared address pool"
    """
    from returpost.cli.terminal import err, print_json

    client = api(directory)
    wanted, version = _changed(client.get("actions", PATH, tenant=tenant), changes)
    body = json.dumps(wanted | {"note": note}).encode()
    saved = client.call("actions", "PUT", PATH, {"tenant": tenant}, body, if_match=f'"{version}"')
    if as_json:
        print_json(saved)
    else:
        err.print(f"Version {saved['version']} is in force.")


def _changed(found: dict[str, Any], changes: list[str]) -> tuple[dict[str, Any], int]:
    """Return the thresholds after the changes, and the version they were. Raises `InvalidSettings`."""
    wanted: dict[str, Any] = {name: found[name] for name in (*KINDS, *NUMBERS)}
    for name, value in change_of(changes).items():
        if name in KINDS and isinstance(value, dict):
            wanted[name] = wanted[name] | value
        elif name in NUMBERS and not isinstance(value, dict):
            wanted[name] = value
        else:
            raise InvalidSettings(f"{name}: choose {', '.join(f'{kind}.warning, {kind}.pause' for kind in KINDS)}, "
                                  f"{', '.join(NUMBERS)}")  # fmt: skip
    return wanted, int(found["version"])


def _levels(levels: dict[str, Any]) -> list[str]:
    return ["off" if levels[level] is None else f"{levels[level]:.4g}" for level in LEVELS]


def _crossed(row: dict[str, Any]) -> str:
    return f"{row['kind']} {row['level']} ({row['count'] / row['of_results']:.2%})"


def _turn(mailing: str, action: str, why: str, tenant: str, directory: Any) -> None:
    from returpost.cli.terminal import err

    body = json.dumps({"why": why}).encode()
    found = api(directory).call("actions", "POST", f"{_path(mailing)}/{action}", {"tenant": tenant}, body)
    err.print(f"{'Paused' if found['paused'] else 'Resumed'} {found['since']} by {found['by']}: {found['why']}")


def _path(mailing: str) -> str:
    return f"/v1/mailings/{quote(mailing, safe='')}"
