"""`returpost rebuild`: a service's state built anew out of the archive, compared with the live one, and taken over."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from returpost.cli.exit_codes import ExitCode
from returpost.cli.options import FOLDER, Folder, Json
from returpost.errors import InvalidSettings

if TYPE_CHECKING:
    from services.blocklist.address_state.rebuild.rebuild import Comparison

REBUILDABLE = ("blocklist",)


def rebuild(
    service: Annotated[str, typer.Argument(help="The service; blocklist.")],
    apply: Annotated[bool, typer.Option("--apply", help="Take over what differs, after a question.")] = False,
    why: Annotated[str, typer.Option(help="Why; wanted by --apply, and kept in the log of each block.")] = "",
    addresses: Annotated[bool, typer.Option("--addresses", help="Show the addresses in the sample.")] = False,
    sample: Annotated[int, typer.Option(min=0, max=10_000, help="How many differences to show.")] = 20,
    into: Annotated[str, typer.Option(help="Schema that is made for it, and removed again.")] = "blocklist_rebuilt",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Build the blocklist's state anew beside the live one, compare them row by row, and take over what differs.

    It reads the archive from its first event on, with the service's own rules; what commands and imports said, and what
    is older than the archive, comes from the live tables. The service goes on meanwhile. Exit code 1 when they differ.

    Works on RETURPOST_DATABASE_URL (the administrator's) and RETURPOST_AMQP_URL, else on what `returpost up` runs here.

    \b
    returpost rebuild blocklist
    returpost rebuild blocklist --apply --why "incident 7"
    """
    import asyncio

    from returpost.cli.terminal import print_json

    if service not in REBUILDABLE:
        raise InvalidSettings(f"SERVICE: {service!r} cannot be rebuilt; {', '.join(REBUILDABLE)}")
    if apply and len(why) < 3:
        raise InvalidSettings("--why: say why; the log of each block keeps it")
    from deploy.backup.rebuild import Places, run

    places = Places.of(directory, into)

    def approve(seen: "Comparison") -> bool:
        if apply and seen.differing and not as_json:
            _show(seen, None, addresses=addresses)
        return _agreed(seen, apply=apply, yes=yes)

    found, changes = asyncio.run(run(places, sample, approve, why))
    if as_json:
        print_json(_json(found, changes, addresses=addresses))
    else:
        _show(found, changes, addresses=addresses)
    if found.differing and changes is None:
        raise typer.Exit(ExitCode.FAILED)


def _agreed(found: "Comparison", *, apply: bool, yes: bool) -> bool:
    from returpost.cli.operate.jobs import agreed

    if not apply or not found.differing:
        return False
    return agreed(f"Take over {found.differing:,} addresses?", yes=yes)


def _show(found: "Comparison", changes: Any, *, addresses: bool) -> None:
    from returpost.cli.terminal import out, say, table

    if changes is not None:
        say(f"taken over {found.differing:,} addresses: {changes.blocked:,} blocked, {changes.freed:,} freed")
        return
    say(f"{found.events:,} events; compared {found.addresses:,} addresses and {found.history:,} rows of their history")
    if not found.differing:
        say("no difference")
        return
    rows = [(one.table, one.kind, ", ".join(one.fields), one.number) for one in found.counts]
    out.print(table(f"{found.differing:,} addresses differ", ("table", "live row is", "in", "rows"), rows))
    columns = ("tenant", *(["address"] if addresses else []), "table", "live row is", "in")
    shown = [
        (one.tenant, *([one.address] if addresses else []), one.table, one.kind, ", ".join(one.fields))
        for one in found.sample
    ]
    out.print(table(f"The first {len(shown)}", columns, shown))
    say("`returpost rebuild blocklist --apply --why ...` writes into the live tables what was built anew")


def _json(found: "Comparison", changes: Any, *, addresses: bool) -> dict[str, Any]:
    from dataclasses import asdict

    told = asdict(found)
    if not addresses:
        for one in told["sample"]:
            del one["address"]
    return told | {"taken_over": None if changes is None else asdict(changes)}
