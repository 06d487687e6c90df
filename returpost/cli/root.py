"""All commands by name. A command's module is imported when that command runs, so that `returpost --help` is quick."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

from returpost.errors import InvalidSettings, ReturpostError, Unavailable

FAILED, WRONG_USE, AWAY = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is: `module:name` of a function or a Typer app."""

    place: str
    help: str
    panel: str


_RUN, _FEED, _ASK, _OPERATE = "Run", "Hand in", "Ask", "Operate"

COMMANDS = {
    "status": Entry("status:status", "Show services, queues, database and lag.", _RUN),
    "send": Entry("send:send", "Hand in delivery results (JSON) and bounce mails.", _FEED),
    "blocked": Entry("blocked:app", "List, look up, import and export blocked addresses.", _ASK),
    "why": Entry("blocked:lookup", "Tell why an address is blocked, or why not, with its history.", _ASK),
    "check": Entry("suppression_files:check", "Tell whom a mailing must skip, out of a file of any length.", _ASK),
    "correct": Entry("suppression_files:correct", "Say that an address is written otherwise.", _FEED),
    "reconcile": Entry("suppression_files:reconcile", "Hold a provider's suppression list against ours.", _ASK),
    "classify": Entry("classify:classify", "Judge bounce mails or SMTP replies here and now; needs no service.", _ASK),
    "normalise": Entry("normalise:normalise", "Show what mails and webhook bodies become; needs no service.", _ASK),
    "validate": Entry("validate:validate", "Check new addresses: syntax, domain, likely slips.", _ASK),
    "settings": Entry("settings:app", "A tenant's settings: show, try out, change, undo, history.", _OPERATE),
    "erase": Entry("erase:erase", "Forget addresses in every service, for ever.", _OPERATE),
    "erasures": Entry("erase:erasures", "List the erasures that wait for their time.", _OPERATE),
    "traces": Entry(
        "erase:traces", "Search tables, queues and streams for an address: what an erasure has left.", _OPERATE
    ),
    "storms": Entry("storms:app", "Sudden bounces of one cause: list them, lift what they blocked.", _OPERATE),
    "retries": Entry("retries:app", "Pending retries: list, drop, run now, resume.", _OPERATE),
    "webhooks": Entry("webhooks:app", "Post blocks to CRMs: add, try out, look at, resend.", _OPERATE),
    "rules": Entry("rules:app", "Check rule files, see what they cover and what they would change.", _OPERATE),
    "dead": Entry("dead_letters:app", "Look at dead letters, replay or discard them.", _OPERATE),
    "replay": Entry("replay:replay", "Replay events of the archive into one service's queue.", _OPERATE),
    "token": Entry("token:token", "Make an API token.", _OPERATE),
    "user": Entry("user:app", "Add, list and remove users of the web page.", _OPERATE),
}


SERVER_COMMANDS = "deploy.commands"
"""The one place where a checkout or the image of the server adds its commands; `pip install returpost` has none."""
PACKAGE = "returpost.cli"


def all_commands() -> dict[str, Entry]:
    """Return the commands by name, those of the server first when it is importable."""
    if find_spec(SERVER_COMMANDS.partition(".")[0]) is None or find_spec(SERVER_COMMANDS) is None:
        return COMMANDS
    server: dict[str, tuple[str, str, str]] = import_module(SERVER_COMMANDS).COMMANDS
    return {
        name: Entry(f"{SERVER_COMMANDS}.{place}", text, panel) for name, (place, text, panel) in server.items()
    } | COMMANDS


class LazyGroup(TyperGroup):
    """Shows commands by their table entry, and imports the one that is run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the real command in place of its entry."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in all_commands() else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run; an error that can be explained is explained, and becomes an exit code."""
        try:
            return super().invoke(ctx)
        except ReturpostError as error:
            sys.stderr.write(f"returpost: {error}\n")
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            sys.stderr.write("stopped\n")
            raise typer.Exit(130) from None


def exit_code(error: ReturpostError) -> int:
    """Return the exit code that stands for an error."""
    return WRONG_USE if isinstance(error, InvalidSettings) else AWAY if isinstance(error, Unavailable) else FAILED


def load(name: str) -> Any:
    """Import a command. Raises `ReturpostError` when the installation lacks a part that it needs."""
    module, _, attribute = all_commands()[name].place.partition(":")
    module = module if module.startswith(SERVER_COMMANDS) else f"{PACKAGE}.{module}"
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


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    add_completion=False,
    help="""Returned e-mail: verdicts, retries, blocks and clean-up, event by event.

Begin with `returpost demo`. To work with it: `returpost up`, then in another terminal
`returpost send results.jsonl`, `returpost status`, `returpost blocked list`.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 a service is away.""",
)


def _placeholder() -> Callable[[], None]:
    def run() -> None:
        raise AssertionError("the group loads the command in its place")

    return run


for _name, _entry in all_commands().items():
    app.command(_name, help=_entry.help, rich_help_panel=_entry.panel)(_placeholder())
