"""The database in a backup: PostgreSQL's own `pg_dump` and `pg_restore`, one file a server."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from deploy.database import SERVICES
from deploy.local.postgres import binaries
from returpost.errors import InvalidSettings, ReturpostError, Unavailable

HOW_TO = "install PostgreSQL's client of the server's version (Debian: postgresql-client-{version})"


def dump(urls: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """Write what each server has, as one transaction sees it; return the services in each file.

    Raises `Unavailable` when a server does not answer or there is no `pg_dump` that is new enough for it.
    """
    written = {}
    for number, (url, services) in enumerate(_by_server(urls).items(), 1):
        name = f"database-{number}.dump"
        schemas = [f"--schema={service}" for service in services]
        _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", *schemas, f"--file={folder / name}")
        written[name] = services
    return written


def load(dumps: Mapping[str, Sequence[str]], urls: Mapping[str, str], folder: Path) -> None:
    """Fill empty servers with what `dump` wrote; all of a file or nothing of it. Raises as `dump` does."""
    for name, services in dumps.items():
        for url, here in _by_server({service: urls[service] for service in services}).items():
            schemas = [f"--schema={service}" for service in here]
            for service in here:  # pg_restore makes no schema that it was asked for by name
                _make_schema(url, service)
            _run(
                url, "pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error",
                *schemas, str(folder / name),
            )  # fmt: skip


def require_empty(urls: Mapping[str, str]) -> None:
    """Raise `InvalidSettings` where a service's schema is there already: a restore adds to nothing."""
    for service, url in urls.items():
        with _connected(url) as connection:
            found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (service,)).fetchone()
        if found:
            raise InvalidSettings(f"the database has a schema {service} already: restore into an empty database")


def _make_schema(url: str, service: str) -> None:
    with _connected(url) as connection:
        connection.execute(f'CREATE SCHEMA "{service}"'.encode())


def _by_server(urls: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        if service in urls:
            found.setdefault(urls[service], []).append(service)
    return found


def _run(url: str, tool: str, *arguments: str) -> None:
    parts = urlsplit(url)
    password, netloc = parts.password, parts.netloc
    if password:
        netloc = netloc.replace(f":{password}@", "@", 1)
    environment = dict(os.environ) | ({"PGPASSWORD": unquote(password)} if password else {})  # `ps` shows arguments
    place = urlunsplit(parts._replace(netloc=netloc))
    line = [_tool(tool, url), f"--dbname={place}", "--no-password", *arguments]
    done = subprocess.run(line, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise ReturpostError(f"{tool} failed: {done.stderr.strip()[-1000:]}")


def _tool(name: str, url: str) -> str:
    """Return the program: the newest that is here, which may not be older than the server."""
    with _connected(url) as connection:
        server = connection.info.server_version // 10_000
    candidates = [shutil.which(name)]
    with contextlib.suppress(Unavailable):  # an image has no wheel
        candidates.append(str(binaries() / name))
    versions = {_version(path): path for path in candidates if path and Path(path).exists()}
    newest = max(versions, default=0)
    if newest < server:
        raise Unavailable(f"{name} of PostgreSQL {server} is not here: {HOW_TO.format(version=server)}")
    return versions[newest]


def _version(path: str) -> int:
    said = subprocess.run([path, "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"(\d+)", said)
    return int(found[1]) if found else 0


def _connected(url: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL does not answer: {error}") from None
