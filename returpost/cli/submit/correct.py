"""`returpost correct`: an address that was misspelt."""

import json
from contextlib import closing
from typing import Annotated

import typer

from returpost.cli.options import FOLDER, TENANT, Folder, Tenant, api


def correct(
    old: Annotated[str, typer.Argument(help="The address that was wrong.")],
    new: Annotated[str, typer.Argument(help="The right one.")],
    note: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    tenant: Tenant = TENANT,
    directory: Folder = FOLDER,
) -> None:
    """Say that an address is written otherwise: the new one starts clean, the old one stays as it is.

    \b
    returpost correct an@example.com ann@example.com --note "a letter was missing"
    """
    from returpost.cli.terminal import err

    body = json.dumps({"corrections": [{"old": old, "new": new}], "note": note}).encode()
    with closing(api(directory)) as client:
        client.call("blocklist", "POST", "/v1/addresses/correct", {"tenant": tenant}, body)
    err.print("Corrected: the new one starts clean. `returpost why` tells of either.")
