"""`returpost down`: stop what runs, from another terminal."""

import os
import signal
import time
from typing import Annotated

import typer

from returpost.cli.options import FOLDER, Folder
from returpost.errors import ReturpostError

POLL_SECONDS = 0.1


def down(
    directory: Folder = FOLDER,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until all has stopped.")] = 60.0,
) -> None:
    """Stop what `returpost up` or `returpost demo` has started: what is in hand is finished first.

    What a killed `returpost up` left behind is stopped too. Exit code 0 also when nothing runs.
    """
    from deploy.local.backing_services import left_behind, stop_all
    from returpost.cli.installation import Installation
    from returpost.cli.terminal import say

    installation = Installation(directory)
    found = installation.running()
    if found is None:
        if left := left_behind(installation.folder):
            stop_all(installation.folder)
        say(f"stopped {' and '.join(left)}, which a killed `returpost up` had left" if left else "nothing runs")
        return
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while installation.held():
        if time.monotonic() > deadline:
            raise ReturpostError(f"process {found.pid} has not stopped after {timeout:g} s; it may be killed")
        time.sleep(POLL_SECONDS)
    say("stopped")
