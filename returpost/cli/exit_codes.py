"""What the exit codes of `returpost` mean. Scripts rely on them: a number keeps its meaning."""

from enum import IntEnum

from returpost.errors import InvalidSettings, ReturpostError, Unavailable


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    AWAY = 3
    DECIDE = 4
    STOPPED = 130


MEANINGS = {
    ExitCode.DONE: "done; of `status`: everything works",
    ExitCode.FAILED: "failed or refused, the message says why; of `status`: something does not work",
    ExitCode.WRONG_USE: "wrong use: an option, a setting, a file, or a token that is refused",
    ExitCode.AWAY: "a service, the broker or the database is unavailable; ask again later, nothing is done twice",
    ExitCode.DECIDE: "a job is paused, as dead letters failed again: look, then resume or stop it",
    ExitCode.STOPPED: "stopped by Ctrl-C",
}


class Undecided(ReturpostError):
    """A job waits for somebody to decide how it goes on."""


def exit_code(error: ReturpostError) -> ExitCode:
    """Return the exit code that stands for an error."""
    match error:
        case InvalidSettings():
            return ExitCode.WRONG_USE
        case Unavailable():
            return ExitCode.AWAY
        case Undecided():
            return ExitCode.DECIDE
    return ExitCode.FAILED
