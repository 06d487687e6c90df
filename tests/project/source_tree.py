"""The files of the project, as the tests about its structure see them: those that git would commit."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("returpost", "shared", "services", "deploy", "bench", "tests")


@cache
def files() -> tuple[str, ...]:
    """Return the paths of all files, tracked or new, without ignored ones."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted(path for path in set(listed) if (ROOT / path).is_file()))


def sources(*packages: str) -> list[str]:
    """Return the paths of the Python files of these packages, or of all."""
    return [path for path in files() if path.endswith(".py") and path.split("/")[0] in (packages or PACKAGES)]


@cache
def tree(path: str) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse((ROOT / path).read_text())


def text(path: str) -> str:
    """Return the text of a file."""
    return (ROOT / path).read_text("utf-8", "replace")
