"""A drained queue as a file: written, looked through, and loaded again in parts."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from returpost.cli.http.api import Api
from returpost.cli.operate.jobs import encode
from returpost.cli.options import token_of, urls_of
from returpost.errors import InvalidSettings, ReturpostError

LINES, BYTES = 500, 8 * 1024 * 1024
"""Of a file in one request, at most: one message alone may be larger."""
TOTAL = "messages"


def new_file(path: Path) -> Any:
    """Open a file that is not there yet, for its owner alone. Raises `InvalidSettings`."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise InvalidSettings(f"{path}: {error.strerror}") from None


def write(target: Any, path: Path, installation: Any, queue: str, fingerprint: str, why: str) -> int:
    """Write what was drained from a queue; return how many messages are safe on disk. Raises `ReturpostError`."""
    from returpost.cli.http.http_transfer import download

    asked = {"queue": queue, "fingerprint": fingerprint, "why": why}
    download(urls_of(installation)["replay"], token_of(installation), "/v1/queue-file", asked, target)
    target.flush()
    os.fsync(target.fileno())
    return count(path)


def count(path: Path) -> int:
    """Return how many messages a file has. Raises `ReturpostError` when it has no end."""
    number, last = -1, "{}"
    for line in _lines(path):
        number, last = number + 1, line
    if _value(last, path).get(TOTAL) != number:
        raise ReturpostError(f"{path}: it breaks off; what was drained is still among the dead letters")
    return number


def load(client: Api, path: Path, why: str) -> int:
    """Load a file once all of it is verified; return how many messages that are. Raises `ReturpostError`."""
    number = count(path)
    for dry_run in (True, False):
        check = ""
        for lines in _parts(path):
            body = encode({"after": check, "lines": lines, "why": why, "dry_run": dry_run})
            check = client.call("replay", "POST", "/v1/queue-file", None, body)["check"]
    return number


def _parts(path: Path) -> Iterator[list[Any]]:
    part: list[Any] = []
    size = 0
    for line in _lines(path):
        if part and (len(part) == LINES or size + len(line) > BYTES):
            yield part
            part, size = [], 0
        part.append(_value(line, path))
        size += len(line)
    yield part


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="ascii") as source:
            yield from source
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path}: {error}") from None


def _value(line: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ReturpostError(f"{path}: no file of a queue, as `returpost queues drain QUEUE --into FILE` writes it")
    return value
