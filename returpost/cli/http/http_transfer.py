"""Files of any length to and from the services' HTTP APIs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from returpost.cli.http.api import words_of
from returpost.errors import InvalidSettings, ReturpostError, Unavailable

PIECE = 256 * 1024
TIMEOUT = httpx.Timeout(10.0, read=600.0, write=600.0)


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Give a file, or standard input for `-`. Raises `InvalidSettings` when it cannot be read."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InvalidSettings(f"{file}: {error.strerror}") from None
    with source:
        yield source


def media_type_of(file: str) -> str:
    """Return what the name of a file says that it is."""
    types = {".csv": "text/csv", ".jsonl": "application/x-ndjson", ".ndjson": "application/x-ndjson"}
    return types.get(Path(file).suffix.lower(), "application/octet-stream" if file.endswith(".json") else "text/plain")


@contextmanager
def exchanged(
    url: str,
    token: str,
    method: str,
    path: str,
    parameters: Mapping[str, Any],
    source: IO[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Iterator[str]]:
    """Send a file and give the lines of the answer.

    Raises `Unavailable` when the service is away or breaks off, `InvalidSettings` when it refuses the token,
    `ReturpostError` with its words for any other refusal.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    pieces = iter(lambda: source.read(PIECE), b"") if source is not None else None
    all_headers = {"Authorization": f"Bearer {token}", **(headers or {})}
    try:
        with (
            httpx.Client(timeout=TIMEOUT) as client,
            client.stream(method, url.rstrip("/") + path, params=given, headers=all_headers, content=pieces) as answer,
        ):
            if answer.status_code >= 400:
                _refuse(answer)
            yield answer.iter_lines()
    except httpx.HTTPError as error:
        raise Unavailable(f"{url} does not answer, or broke off: {type(error).__name__}") from None


def download(url: str, token: str, path: str, parameters: Mapping[str, Any], target: IO[bytes]) -> None:
    """Write an answer of any length to a file, byte for byte. Raises as `exchanged` does."""
    given = {name: value for name, value in parameters.items() if value is not None}
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with (
            httpx.Client(timeout=TIMEOUT) as client,
            client.stream("GET", url.rstrip("/") + path, params=given, headers=headers) as answer,
        ):
            if answer.status_code >= 400:
                _refuse(answer)
            for piece in answer.iter_bytes(PIECE):
                target.write(piece)
    except httpx.HTTPError as error:
        raise Unavailable(f"{url} does not answer, or broke off: {type(error).__name__}") from None


def _refuse(answer: httpx.Response) -> None:
    answer.read()
    try:
        words = words_of(answer.json())
    except ValueError:
        words = answer.text[:500]
    if answer.status_code in (401, 403):
        raise InvalidSettings(f"the service refuses the token: {words}")
    if answer.status_code >= 500:
        raise Unavailable(words)
    raise ReturpostError(words)
