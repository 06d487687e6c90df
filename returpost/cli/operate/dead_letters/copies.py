"""`returpost dead-letters edit`, `unpark` and `export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from returpost.cli.operate.dead_letters.filters import Fingerprint, Mailing, Queue, Type, Why, Yes, dead_letter_id
from returpost.cli.operate.dead_letters.look import STATES
from returpost.cli.operate.jobs import agreed, encode
from returpost.cli.options import FOLDER, Folder, Json, api, token_of, urls_of
from returpost.errors import InvalidSettings

MAX_UNPARKED = 1_000
"""As many as one request takes."""


def edit(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    file: Annotated[Path, typer.Option(help="The event as it should be: `show ID --raw --why ...` writes what it is.")],
    why: Why = ...,  # type: ignore[assignment]
    yes: Yes = False,
    directory: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Make an edited dead letter of one, under a new id; shows the difference first.

    For administrators; off unless the service allows it.

    \b
    returpost dead-letters edit 1b7f0f4e-0000-4000-8000-000000000000 --file mended.json --why "a misspelt time"
    """
    from returpost.cli.terminal import out, print_json, say

    client = api(directory)
    place = f"/v1/dead-letters/{dead_letter_id(identity)}"
    try:
        after = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file}: {error}") from None
    wanted = {"body": after, "why": why}
    dry = client.call("replay", "POST", f"{place}/edit", None, encode(wanted | {"dry_run": True}))
    if not as_json:
        out.print("\n".join(dry["difference"]), markup=False, highlight=False)
    if agreed("Make this dead letter?", yes=yes):
        made = client.call("replay", "POST", f"{place}/edit", None, encode(wanted))
        if as_json:
            print_json(made)
        else:
            say(f"made {made['dead_letter']}; replay it: returpost dead-letters replay {made['dead_letter']}")


def unpark(why: Why = ..., directory: Folder = FOLDER, as_json: Json = False) -> None:  # type: ignore[assignment]
    """Try again to keep dead letters that replay itself could not keep, once the cause is mended.

    \b
    returpost dead-letters unpark --why "release 1.4.2 mends it"
    """
    from returpost.cli.terminal import print_json, say

    client, total = api(directory), 0
    while count := client.call("replay", "POST", "/v1/parked/retry", {"why": why})["dead_letters"]:
        total += count
        if count < MAX_UNPARKED:
            break
    if as_json:
        print_json({"dead_letters": total})
    else:
        say(f"{total} dead letters are tried again")


def export(
    file: Annotated[Path, typer.Argument(help="File to write; it must not be there. .csv: CSV, else JSON lines.")],
    queue: Queue = None,
    fingerprint: Fingerprint = None,
    type_: Type = None,
    mailing: Mailing = None,
    state: Annotated[str, typer.Option(help=f"{STATES}.")] = "dead",
    why: Why = ...,  # type: ignore[assignment]
    directory: Folder = FOLDER,
) -> None:
    """Export dead letters with their bytes, as JSON lines or CSV. The audit keeps who did it.

    \b
    returpost dead-letters export letters.jsonl --queue classifier.bounce-received --why "for the developers"
    """
    from returpost.cli.http.http_transfer import download
    from returpost.cli.installation import Installation

    installation = Installation(directory)
    form = "csv" if file.suffix.lower() == ".csv" else "jsonl"
    chosen = {"queue": queue, "fingerprint": fingerprint, "type": type_, "mailing": mailing, "state": state}
    try:
        target = file.open("xb")
    except OSError as error:
        raise InvalidSettings(f"{file}: {error.strerror}") from None
    with target:
        url = urls_of(installation)["replay"]
        download(url, token_of(installation), "/v1/dead-letters-export", {**chosen, "form": form, "why": why}, target)
    sys.stderr.write(f"returpost: wrote {file}\n")
