"""Named queries: SQL in files beside the code."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def queries(path: Path) -> Mapping[str, str]:
    """Read a file of named queries: `-- name: <name>`, then comments that say what it does, then the SQL."""
    parts = _NAME.split(path.read_text())
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


def columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Return rows of `width` values as one sequence for each column, for `unnest`."""
    return list(zip(*rows, strict=True)) or [()] * width
