"""A backup is a folder: dumps of the databases, streams, broker users, keys, and a manifest that says what is in it.

The database is dumped before the streams are read: what the services do meanwhile is in the archive, and a replay of
the archive from the time of the dump makes the same state of it.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.backup import dumps, streams
from deploy.rabbitmq import broker
from deploy.rabbitmq.management import Management
from deploy.rabbitmq.whole_streams import STREAMS
from returpost.errors import InvalidSettings, ReturpostError

FORMAT = 1
MANIFEST = "manifest.json"
ACCESS = "broker-users.json"
SECRETS = "secrets"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an installation keeps what it has."""

    databases: Mapping[str, str]
    """The administrator's URL by service."""
    amqp_url: str
    management_url: str | None
    secrets: Path | None
    """The file of generated passwords and keys; none where all come from elsewhere."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup."""

    format: int
    made_at: str
    """Before the dump began: a replay from here closes the gap."""
    release: str
    senders: list[str]
    databases: dict[str, list[str]]
    """Services by file."""
    streams: dict[str, int]
    """Messages by stream; empty when they were left out."""
    waiting: dict[str, int]
    """Messages that waited in queues, which no backup has."""


def backup(place: Place, folder: Path, release: str, *, with_streams: bool = True, say: Say) -> Manifest:
    """Write a backup into a new folder, complete or not at all.

    Not for use inside an event loop. Raises `InvalidSettings` when the folder exists, `Unavailable`, `ReturpostError`.
    """
    if folder.exists():
        raise InvalidSettings(f"{folder} is there already: a backup has a folder of its own")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    try:
        made_at = datetime.now(UTC).isoformat()
        say("dumping the database")
        databases = dumps.dump(place.databases, unfinished)
        counts = {}
        if with_streams:
            say("reading the streams")
            counts = asyncio.run(streams.save(place.amqp_url, unfinished))
        access = asyncio.run(_access(place)) if place.management_url else None
        _write(unfinished / ACCESS, access)
        if place.secrets is not None and place.secrets.exists():
            _write(unfinished / SECRETS, json.loads(place.secrets.read_text()))
        senders = sorted(user["name"].removeprefix("sender-") for user in (access or {}).get("users", ())
                         if user["name"].startswith("sender-")) or ["default"]  # fmt: skip
        states = broker.states(place.amqp_url, senders)
        waiting = {one.name: one.waiting for one in states if one.waiting and one.name not in STREAMS}
        manifest = Manifest(FORMAT, made_at, release, senders, databases, counts, waiting)
        _write(unfinished / MANIFEST, asdict(manifest))
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return manifest


def read(folder: Path) -> Manifest:
    """Return what a backup says of itself. Raises `InvalidSettings` when it is none, or of a later format."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise InvalidSettings(f"{folder} is no backup: it has no {MANIFEST}") from None
    if found.get("format") != FORMAT:
        raise InvalidSettings(f"{folder} is a backup of format {found.get('format')}; this release reads {FORMAT}")
    return Manifest(**found)


def restore_secrets(folder: Path, secrets: Path) -> None:
    """Put the generated passwords and keys back, before anything is started with others.

    Raises `InvalidSettings` when there are others already.
    """
    kept = folder / SECRETS
    if not kept.exists():
        return
    found = json.loads(kept.read_text())
    if secrets.exists() and json.loads(secrets.read_text()) != found:
        raise InvalidSettings(f"{secrets} has other passwords and keys than the backup: restore into a new folder")
    _write(secrets, found)


def restore(place: Place, folder: Path, say: Say) -> Manifest:
    """Fill an empty place with a backup; `migrate` and `topology apply` (or `up`) come afterwards.

    Not for use inside an event loop. Raises `InvalidSettings` when the place is not empty, `Unavailable`,
    `ReturpostError`.
    """
    manifest = read(folder)
    dumps.require_empty(place.databases)
    broker.declare(place.amqp_url, place.management_url, manifest.senders)
    if any(state.waiting for state in broker.states(place.amqp_url, manifest.senders)):
        raise InvalidSettings("there are messages at the broker already: restore into an empty virtual host")
    say("filling the database")
    dumps.load(manifest.databases, place.databases, folder)
    access = json.loads((folder / ACCESS).read_text())
    if access and place.management_url:
        asyncio.run(_grant(place, access))
    if manifest.streams:
        say("filling the streams")
        asyncio.run(streams.publish(place.amqp_url, folder))
    return manifest


async def _access(place: Place) -> dict[str, Any]:
    if place.management_url is None:
        raise ReturpostError("users are read over the management API")
    async with Management(place.management_url, place.amqp_url) as management:
        return await management.access()


async def _grant(place: Place, access: Mapping[str, Any]) -> None:
    if place.management_url is not None:
        async with Management(place.management_url, place.amqp_url) as management:
            await management.grant(access)


def _write(path: Path, value: object) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(value, indent=1) + "\n")
