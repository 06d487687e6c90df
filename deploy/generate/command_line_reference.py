"""The reference of the command line in Markdown, made from the Typer commands themselves."""

from collections.abc import Iterator
from typing import Any

from returpost.cli.exit_codes import MEANINGS
from returpost.cli.root import all_commands, load

_HEAD = """# Command line

Made by `python -m deploy.generate` from the commands.

`returpost COMMAND --help` shows the same text in the terminal. `--json` prints JSON for scripts. Commands marked
*server* need a checkout or the image; `pip install 'returpost[cli]'` has the others. `returpost --install-completion`
completes commands and options in the shell that you use (bash, zsh, fish).

| exit code | meaning |
|---|---|
{codes}

| command | what it does |
|---|---|
"""
_SERVER = "deploy.commands"


def command_line_reference() -> str:
    """Return the document: a table of all commands, then a section for each with its arguments and options."""
    entries = all_commands()
    names = sorted(entries)
    rows = [
        f"| [`{name}`](#{name}) | {_cell(entries[name].help)}{' *server*' * entries[name].place.startswith(_SERVER)} |"
        for name in names
    ]
    sections = [section for name in names for section in _sections(name, load(name), "##")]
    codes = "\n".join(f"| {code.value} | {_cell(meaning)} |" for code, meaning in MEANINGS.items())
    return _HEAD.format(codes=codes) + "\n".join(rows) + "\n" + "".join(sections)


def _sections(path: str, command: Any, level: str) -> Iterator[str]:
    yield f"\n{level} {path}\n\n{_text(command.help)}"
    if subcommands := getattr(command, "commands", None):
        for name in sorted(subcommands):
            yield from _sections(f"{path} {name}", subcommands[name], f"{level}#")
        return
    names = [item.name.upper() if item.required else f"[{item.name.upper()}]" for item in _arguments(command)]
    yield f"\n```text\n{' '.join(('returpost', path, *names))} [OPTIONS]\n```\n"
    rows = [f"| {_spelling(item)} | {_cell(item.help or '')} | {_default(item)} |" for item in _visible(command)]
    if rows:
        yield "\n| argument or option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _arguments(command: Any) -> list[Any]:
    return [item for item in _visible(command) if not item.opts[0].startswith("-")]


def _visible(command: Any) -> list[Any]:
    return [item for item in command.params if not getattr(item, "hidden", False) and item.name != "help"]


def _spelling(item: Any) -> str:
    if not item.opts[0].startswith("-"):
        return f"`{item.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*item.opts, *item.secondary_opts))


def _default(item: Any) -> str:
    if item.required:
        return "required"
    default = item.default
    if default is None or default in ("", False, True) or callable(default) or isinstance(default, list | tuple):
        return ""
    return f"`{default}`"


def _text(text: str | None) -> str:
    """Return a help text as Markdown: paragraphs, and the example commands at its end as a block."""
    plain, _, examples = (text or "").partition("\b")
    prose = plain.strip().replace("<", "&lt;").replace("*", "\\*")
    return prose + (f"\n\n```sh\n{examples.strip()}\n```" if examples else "") + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
