"""The parts of other commands that need the server: its key, its broker, its database."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from returpost.cli.env_config import setting
from returpost.cli.installation import Installation
from returpost.errors import InvalidSettings, ReturpostError

TOKEN_LIFE = timedelta(hours=12)
DATABASE_TIMEOUT = 5
SENDERS = ("default",)


def own_token(installation: Installation) -> str:
    """Return a new token for all tenants. Raises `InvalidSettings` when there is no key to sign it with."""
    from shared.http.auth import ALL_TENANTS, SCOPES, issue

    return issue(signing_key(installation), name="cli", tenant=ALL_TENANTS, scopes=SCOPES, lifetime=TOKEN_LIFE)


def signing_key(installation: Installation) -> str:
    """Return the key that tokens are signed with: the first of `RETURPOST_TOKEN_KEYS`, or the installation's own.

    Raises `InvalidSettings` when there is none.
    """
    from shared.http.auth import keys_of

    if given := setting("TOKEN_KEYS"):
        return keys_of(given)[0]
    if not (installation.folder / "secrets").exists():
        raise InvalidSettings(
            "no key to sign tokens with: set RETURPOST_TOKEN or RETURPOST_TOKEN_KEYS, or start it with `returpost up`"
        )
    return installation.secrets().token_key


def left_behind(installation: Installation) -> list[str]:
    """Return the servers that a killed `returpost up` left behind in this installation."""
    from deploy.local import backing_services

    return [] if installation.held() else backing_services.left_behind(installation.folder)


def queue_states(installation: Installation) -> dict[str, Any]:
    """Return `ok`, `error` and `queues`: of each its name, whether it exists, messages waiting, consumers."""
    from deploy.rabbitmq import broker

    running = installation.running()
    url = setting("AMQP_URL") or (running.amqp_url if running else None)
    if url is None:
        return {"ok": True, "queues": [], "error": "not asked: RETURPOST_AMQP_URL is not set, and nothing runs here"}
    try:
        states = broker.states(url, running.senders if running else SENDERS)
    except ReturpostError as error:
        return {"ok": False, "queues": [], "error": str(error)}
    rows = [
        {"name": state.name, "exists": state.exists, "waiting": state.waiting, "consumers": state.consumers}
        for state in states
    ]
    return {"ok": all(state.exists for state in states), "queues": rows, "error": None}


def database_state(installation: Installation) -> dict[str, Any]:
    """Return `ok`, `error` and `bytes`, the size of the database."""
    import psycopg

    running = installation.running()
    url = setting("DATABASE_URL") or (running.database_url if running else None)
    if url is None:
        missing = "not asked: RETURPOST_DATABASE_URL is not set, and nothing runs here"
        return {"ok": True, "bytes": None, "error": missing}
    try:
        with psycopg.connect(url, connect_timeout=DATABASE_TIMEOUT) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    except psycopg.Error as error:
        return {"ok": False, "bytes": None, "error": str(error).strip()}
    return {"ok": True, "bytes": row[0] if row else None, "error": None}


def search_broker(installation: Installation, tenant: str, address: str) -> dict[str, Any]:
    """Return `places`: every queue and stream with how many messages say the address; `problem` when not searched."""
    from deploy.rabbitmq.search import search, search_files
    from deploy.rabbitmq.whole_streams import STREAMS
    from shared.database.residual_search import forms

    running = installation.running()
    url = setting("AMQP_URL") or (running.amqp_url if running else None)
    if url is None:
        return {"places": [], "problem": "RETURPOST_AMQP_URL is not set, and nothing runs here"}
    try:
        said = asyncio.run(search(url, tenant, forms(address), running.senders if running else SENDERS))
        if folder := setting("REPLAY_ARCHIVE_FOLDER"):
            said.append(search_files(Path(folder), tenant, forms(address)))
    except ReturpostError as error:
        return {"places": [], "problem": str(error)}
    return {"places": [asdict(one) | {"ages": one.place in STREAMS} for one in said]}
