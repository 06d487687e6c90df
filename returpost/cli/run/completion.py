"""`returpost completion`: the script that completes commands, options and file names in a shell."""

from enum import StrEnum
from typing import Annotated

import typer

PROGRAM, VARIABLE = "returpost", "_RETURPOST_COMPLETE"


class Shell(StrEnum):
    """Shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the script that completes `returpost` in a shell; `returpost --install-completion` installs it.

    \b
    returpost completion bash > ~/.local/share/bash-completion/completions/returpost
    returpost completion zsh > ~/.zfunc/_returpost
    returpost completion fish > ~/.config/fish/completions/returpost.fish
    """
    from typer._completion_shared import get_completion_script

    typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value))
