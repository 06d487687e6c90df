"""`returpost migrate`: the database."""

from typing import Annotated

import typer

from returpost.cli.options import FOLDER, Folder, Json
from returpost.errors import InvalidSettings


def migrate(
    directory: Folder = FOLDER,
    single_role: Annotated[bool, typer.Option(help="One database user for all, when no roles can be made.")] = False,
    as_json: Json = False,
) -> None:
    """Make each service's role and schema, and bring its tables up to date; safe to repeat.

    Works on RETURPOST_DATABASE_URL (the administrator's; RETURPOST_<SERVICE>_DATABASE_URL for a service with a server
    of its own), else on what `returpost up` runs here. Passwords are RETURPOST_<SERVICE>_DATABASE_PASSWORD, else those
    of the installation.
    """
    from deploy.database import SERVICES, role_of
    from deploy.local.local_stack import migrate as prepare, secrets_of
    from returpost.cli.env_config import setting
    from returpost.cli.installation import Installation
    from returpost.cli.terminal import out, print_json, table

    installation = Installation(directory)
    found = installation.running()
    url = setting("DATABASE_URL") or (found.database_url if found else None)
    if url is None:
        raise InvalidSettings("RETURPOST_DATABASE_URL is not set, and nothing runs here")
    prepare(url, secrets_of(installation, {}), single_role)
    done = [{"service": name, "schema": name, "role": None if single_role else role_of(name)} for name in SERVICES]
    if as_json:
        print_json(done)
    else:
        out.print(table("Up to date", ("service", "schema", "role"), [tuple(row.values()) for row in done]))
