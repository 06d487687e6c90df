"""All commands by name. A command's module is imported when that command runs, so that `returpost --help` is quick."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from returpost.cli import server
from returpost.cli.exit_codes import MEANINGS, ExitCode, exit_code
from returpost.errors import ReturpostError


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is: `module:name` of a function or a Typer app."""

    place: str
    help: str
    panel: str


_RUN, _SUBMIT, _QUERY, _OPERATE = "Run", "Submit", "Query", "Operate"

COMMANDS = {
    "status": Entry("run.status:status", "Show services, queues with lag, and the database.", _RUN),
    "send": Entry("submit.send:send", "Submit delivery results (JSON) and bounce mails.", _SUBMIT),
    "correct": Entry("submit.correct:correct", "Correct a misspelt address: the right one starts clean.", _SUBMIT),
    "blocked": Entry("query.blocked:app", "List, look up, import and export blocked addresses.", _QUERY),
    "why": Entry("query.blocked:lookup", "Show why an address is blocked, or why not, with its history.", _QUERY),
    "check": Entry("query.suppression_files:check", "Check a list of any length: whom must a mailing skip?", _QUERY),
    "reconcile": Entry("query.suppression_files:reconcile", "Compare a provider's suppression list with ours.", _QUERY),
    "classify": Entry("query.classify:classify", "Classify bounce mails or SMTP replies; needs no service.", _QUERY),
    "normalise": Entry(
        "query.normalise:normalise", "Show what mails and webhook bodies become; needs no service.", _QUERY
    ),
    "validate": Entry("query.validate:validate", "Check new addresses: syntax, domain, likely typing errors.", _QUERY),
    "settings": Entry("operate.settings:app", "A tenant's settings: show, preview, change, undo, history.", _OPERATE),
    "erase": Entry("operate.erase:app", "Erase addresses everywhere; list, undo, run now, verify.", _OPERATE),
    "domains": Entry("operate.domains:app", "Whole domains: block them, lift that, list and look up.", _OPERATE),
    "storms": Entry("operate.deliveries.storms:app", "Bounce storms: list them, lift what they blocked.", _OPERATE),
    "mailings": Entry(
        "operate.deliveries.mailings:app", "Mailings: list those paused, pause, resume, set thresholds.", _OPERATE
    ),
    "retries": Entry("operate.deliveries.retries:app", "Retries: list, drop, run now, resume.", _OPERATE),
    "webhooks": Entry("operate.outbound.webhooks:app", "Outbound webhooks: add, test, read the log, resend.", _OPERATE),
    "alerts": Entry("operate.outbound.alerts:app", "Alerts to people: channels, tests, what was sent.", _OPERATE),
    "rules": Entry("operate.rules:app", "Check rule files, see what they cover and what they would change.", _OPERATE),
    "dead-letters": Entry("operate.dead_letters:app", "List, replay or discard dead letters.", _OPERATE),
    "jobs": Entry("operate.jobs:app", "Replays and other jobs: look, pause, resume, stop.", _OPERATE),
    "queues": Entry("operate.queues:app", "Queues: list, pause, resume, drain, load, purge, move.", _OPERATE),
    "trace": Entry("operate.trace:trace", "Follow an address, mailing or event through all services.", _OPERATE),
    "archive": Entry("operate.archive:app", "Look for archived events, and at one of them.", _OPERATE),
    "replay": Entry("operate.replay:replay", "Replay archived events into one service's queue.", _OPERATE),
    "user": Entry("operate.user:app", "Add, list and remove users of the console.", _OPERATE),
    "completion": Entry("run.completion:completion", "Complete commands and options in bash, zsh or fish.", _RUN),
}
PACKAGE = "returpost.cli"


def all_commands() -> dict[str, Entry]:
    """Return the commands by name, those of the server first when it is importable."""
    added = {
        name: Entry(f"{server.PACKAGE}.{place}", text, panel)
        for name, (place, text, panel) in server.commands().items()
    }
    return added | COMMANDS


class LazyGroup(TyperGroup):
    """Shows commands by their table entry, and imports the one that is run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the real command in place of its entry."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, unwrapped(load(name)) if name in all_commands() else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run; an error that can be explained is explained, and becomes an exit code."""
        try:
            return super().invoke(ctx)
        except ReturpostError as error:
            sys.stderr.write(f"returpost: {error}\n")
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            sys.stderr.write("stopped\n")
            raise typer.Exit(ExitCode.STOPPED) from None
        except OSError as error:
            if error.filename is None:
                raise
            sys.stderr.write(f"returpost: {error.filename}: {error.strerror}\n")
            raise typer.Exit(ExitCode.WRONG_USE) from None


def load(name: str) -> Any:
    """Import a command. Raises `ReturpostError` when the installation lacks a part that it needs."""
    module, _, attribute = all_commands()[name].place.partition(":")
    module = module if module.startswith(server.PACKAGE) else f"{PACKAGE}.{module}"
    try:
        found = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ReturpostError(f"{error.name} is not installed: pip install 'returpost[cli]'") from None
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode="rich")
        single.command(name)(found)
        found = single
    command = typer.main.get_command(found)
    command.name = name
    return command


def unwrapped(command: Any) -> Any:
    """Return the command with paragraphs of its help that a terminal of any width wraps by itself."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(text if "\b" in text else text.replace("\n", " ") for text in paragraphs)
    for one in getattr(command, "commands", {}).values():
        unwrapped(one)
    return command


def _codes() -> str:
    return ", ".join(
        f"{code.value} {meaning.partition(';')[0].partition(':')[0]}" for code, meaning in MEANINGS.items()
    )


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help=f"""Process returned e-mail: classify bounces, retry, block dead addresses, clean up.

On a machine with the server: `returpost demo` shows it, `returpost up` starts it.
Elsewhere set RETURPOST_TOKEN, and RETURPOST_<SERVICE>_URL for each service that is not on this machine.
Then `returpost send results.jsonl`, `returpost status`, `returpost blocked list`.

Exit codes: {_codes()}.""",
)


def _placeholder() -> Callable[[], None]:
    def run() -> None:
        raise AssertionError("the group loads the command in its place")

    return run


for _name, _entry in all_commands().items():
    app.command(_name, help=_entry.help, rich_help_panel=_entry.panel)(_placeholder())
