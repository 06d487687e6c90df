"""What is written to the terminal: results to standard output, everything about them to standard error."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red", "bright_cyan", "bright_green")

WIDE = 200
"""Columns when nobody says how wide the paper is: in a file or a pipe."""

out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE)
err = Console(stderr=True)


def say(line: str) -> None:
    """Tell the user what goes on."""
    err.print(Text(f"returpost: {line}", style="bold"))


def print_json(value: Any) -> None:
    """Print a value as JSON: indented for people, dates and the like as text."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Group:
    """Return a table under its title; numbers stand to the right."""
    made = Table(header_style="bold", box=SIMPLE_HEAD)
    listed = [tuple(row) for row in rows]
    columns, listed = _fitted(columns, listed)
    for place, column in enumerate(columns):
        numeric = bool(listed) and all(isinstance(row[place], int | float) for row in listed)
        made.add_column(column, justify="right" if numeric else "left", no_wrap=place == 0, overflow="fold")
    for row in listed:
        made.add_row(*(_cell(value) for value in row))
    return Group(Text(title, style="bold"), made) if title else Group(made)


def prefixed(names: Sequence[str]) -> Callable[[str, str], None]:
    """Return what writes the lines of several programs, each after the coloured name of the one that wrote it."""
    width = max(map(len, names), default=0)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}

    def write(name: str, line: str) -> None:
        prefix = Text(f"{name:<{width}} | ", style=colours.get(name, ""))
        out.print(prefix + Text.from_ansi(line), soft_wrap=True, highlight=False)

    return write


def to_files(folder: Path, names: Sequence[str]) -> Callable[[str, str], None]:
    """Return what writes the lines of each program to a file of its own, begun anew."""
    files: dict[str, TextIO] = {name: (folder / f"{name}.log").open("w", buffering=1) for name in names}

    def write(name: str, line: str) -> None:
        files[name].write(f"{line}\n")

    return write


def _fitted(columns: Sequence[str], rows: list[tuple[Any, ...]]) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """Leave out columns in which nothing stands where the paper is too narrow for all."""
    widths = [max([len(name), *(len(_cell(row[place])) for row in rows)]) for place, name in enumerate(columns)]
    if not rows or sum(widths) + 3 * len(widths) + 1 <= out.width:
        return columns, rows
    kept = [place for place in range(len(columns)) if any(_cell(row[place]) for row in rows)]
    return [columns[place] for place in kept], [tuple(row[place] for place in kept) for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
