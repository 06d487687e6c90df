"""`returpost backup` and `returpost restore`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from returpost.cli.options import FOLDER, Folder

if TYPE_CHECKING:
    from deploy.backup.backup import Place
    from returpost.cli.installation import Installation

Target = Annotated[Path, typer.Argument(help="The folder of the backup.")]


def backup(
    folder: Target,
    directory: Folder = FOLDER,
    streams: Annotated[bool, typer.Option(help="The streams too: without them there is no replay of the past.")] = True,
) -> None:
    """Write database, streams, broker users, passwords and keys into a new folder, while everything runs.

    Works on RETURPOST_DATABASE_URL (RETURPOST_<SERVICE>_DATABASE_URL), RETURPOST_AMQP_URL and
    RETURPOST_AMQP_MANAGEMENT_URL, else on what `returpost up` runs here, or has run. Passwords and keys that come from
    the environment are not in it. Messages that wait in queues are not in it: their number is said.
    """
    from deploy.backup.backup import backup as write
    from returpost.cli.installation import Installation
    from returpost.cli.terminal import err, say
    from shared.release import release

    with _place(Installation(directory)) as place:
        made = write(place, folder, release(), with_streams=streams, say=say)
    say(f"{folder}: {len(made.databases)} databases, {sum(made.streams.values())} messages of streams")
    if made.waiting:
        names = ", ".join(f"{name} ({count})" for name, count in made.waiting.items())
        err.print(f"not in it, since it waited in queues: {names}", highlight=False)


def restore(folder: Target, directory: Folder = FOLDER) -> None:
    """Fill an empty database and an empty broker with a backup; what is there already is never touched.

    Takes the same places as `returpost backup`. Then `returpost up`, or `returpost migrate` and `returpost topology
    apply`, go on with it, with the release that made the backup or a later one. What happened after the backup is
    replayed from the archive of the broker that was left, from the time that is said.
    """
    from deploy.backup.backup import read, restore as fill, restore_secrets
    from returpost.cli.installation import Installation
    from returpost.cli.terminal import say

    read(folder)
    installation = Installation(directory)
    installation.make()
    restore_secrets(folder, installation.folder / "secrets")
    with _place(installation) as place:
        made = fill(place, folder, say)
    say(f"restored as of {made.made_at}")


@contextmanager
def _place(installation: "Installation") -> "Iterator[Place]":
    from deploy.backup.backup import Place
    from deploy.database import SERVICES
    from deploy.local.backing_services import start_backing
    from returpost.cli.env_config import setting

    backing = start_backing(installation.folder)
    try:
        urls = {name: setting(f"{name.upper()}_DATABASE_URL") or backing.database_url for name in SERVICES}
        yield Place(urls, backing.amqp_url, backing.management_url, installation.folder / "secrets")
    finally:
        backing.stop()
