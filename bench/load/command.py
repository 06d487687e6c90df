"""What every benchmark is told by, and where its figures go."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

F = TypeVar("F")


def measure(description: str | None, run: Callable[[float, Console], F], show: Callable[[F, Console], None]) -> F:
    """Take `--scale` and `--json`, run, show what was found and write it down; return it.

    `run` gets the scale: 1.0 is the full size.
    """
    given = read(arguments(description))
    console = Console(stderr=True)
    findings = run(given.scale, console)
    show(findings, console)
    write(given.json, findings)
    return findings


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return what every benchmark takes, for one that takes more."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, metavar="F", help="1.0 the full size, 0.05 a quick look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    return parser


def read(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return what was given. Exits with 2 when it is wrong."""
    given = parser.parse_args()
    if given.scale <= 0:
        parser.error("--scale: must be above 0")
    return given


def write(path: Path | None, findings: Any) -> None:
    """Write the figures down, if anybody wants them."""
    if path:
        path.write_text(json.dumps(vars(findings), indent=2) + "\n")
