"""Completion in the shells that are documented, and what exit codes mean."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from returpost.cli.exit_codes import MEANINGS, ExitCode, Undecided, exit_code
from returpost.cli.root import LazyGroup, all_commands, app
from returpost.cli.run.completion import Shell
from returpost.errors import InvalidAddress, InvalidMessage, InvalidSettings, ReturpostError, Unavailable
from tests.project.source_tree import ROOT

runner = CliRunner()
BIN = Path(sys.executable).parent
TYPED = ("returpost que", "queues"), ("returpost queues dr", "drain"), ("returpost queues drain --in", "--into")


def script(shell: Shell) -> str:
    shown = runner.invoke(app, ["completion", shell.value])
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.parametrize(("typed", "wanted"), TYPED)
def test_bash_completes_what_is_typed(typed: str, wanted: str) -> None:
    words = typed.split()
    program = (
        f"{script(Shell.BASH)}\nCOMP_WORDS=({typed})\nCOMP_CWORD={len(words) - 1}\n"
        '_returpost_completion returpost\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert wanted in done.stdout.split(), done.stderr


@pytest.mark.parametrize("shell", [Shell.ZSH, Shell.FISH])
@pytest.mark.parametrize(("typed", "wanted"), TYPED)
def test_zsh_and_fish_get_what_their_scripts_ask_for(shell: Shell, typed: str, wanted: str) -> None:
    """The shells are not here: what their scripts ask the program for, it is asked for."""
    asked = {"_RETURPOST_COMPLETE": f"complete_{shell.value}", "_TYPER_COMPLETE_ARGS": typed}
    assert asked.keys() <= set(script(shell).replace("=", " ").replace('"', " ").split())
    if shell is Shell.FISH:
        asked["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    done = subprocess.run([str(BIN / "returpost")], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert wanted in done.stdout, done.stderr


def test_installing_writes_to_the_shell_that_is_used(tmp_path: Path) -> None:
    """The shell is recognised by the processes above: bash starts it."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = ["/bin/bash", "--norc", "-c", "returpost --install-completion; exit $?"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = tmp_path / ".bash_completions/returpost.sh"
    assert str(written) in (tmp_path / ".bashrc").read_text()
    assert "complete_bash" in written.read_text()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0), (ReturpostError("x"), 1), (InvalidAddress("x"), 1), (InvalidMessage("x"), 1),
        (InvalidSettings("x"), 2), (Unavailable("x"), 3), (Undecided("x"), 4), (KeyboardInterrupt(), 130),
    ],
)  # fmt: skip
def test_each_end_has_its_exit_code(error: BaseException | None, code: int) -> None:
    """Numbers are what scripts know: they are written down here once more."""
    program = typer.Typer(cls=LazyGroup)

    @program.command("ends")
    def ends() -> None:
        if error is not None:
            raise error

    @program.command("other")
    def other() -> None:
        raise AssertionError

    assert runner.invoke(program, ["ends"]).exit_code == code
    if isinstance(error, ReturpostError):
        assert exit_code(error) == code


def test_exit_codes_are_documented_and_shown() -> None:
    reference = (ROOT / "docs/reference/command-line.md").read_text()
    shown = runner.invoke(app, ["--help"], env={"COLUMNS": "300"}).output
    for code in ExitCode:
        assert f"| {code.value} | {MEANINGS[code]} |" in reference
        assert f"{code.value} {MEANINGS[code].partition(';')[0].partition(':')[0]}" in shown
    assert "completion" in all_commands()
