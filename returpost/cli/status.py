"""`returpost status`: how everything is."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import typer

from returpost.cli.env_config import setting
from returpost.cli.installation import Home
from returpost.cli.options import FOLDER, Folder, Json, urls_of
from returpost.errors import ReturpostError, Unavailable

DATABASE_TIMEOUT = 5


def status(directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show services, queues with depth, consumers and lag, and the database.

    Exit code 0: all is well; 1: something is not; 3: no service answers.
    """
    from returpost.cli.terminal import print_json

    home = Home(directory)
    urls = urls_of(home)
    with ThreadPoolExecutor(len(urls) + 2) as pool:
        asked = {service: pool.submit(_service, service, urls) for service in urls}
        queues = pool.submit(_queues, home)
        size = pool.submit(_database, home)
        found: dict[str, Any] = {
            "services": {service: answer.result() for service, answer in asked.items()},
            "queues": queues.result(),
            "database": size.result(),
        }
    found["ok"] = all(part["ok"] for part in (*found["services"].values(), found["database"])) and found["queues"]["ok"]
    if as_json:
        print_json(found)
    else:
        _show(found)
    if not any(service["answers"] for service in found["services"].values()):
        raise typer.Exit(3)
    raise typer.Exit(0 if found["ok"] else 1)


def _service(service: str, urls: Mapping[str, str]) -> dict[str, Any]:
    from returpost.cli.api import Api

    api = Api(urls, "")
    try:
        return {"url": urls[service], "answers": True, **api.health(service), "lags": api.lags(service)}
    except Unavailable as error:
        return {"url": urls[service], "answers": False, "ok": False, "error": str(error)}


def _queues(home: Home) -> dict[str, Any]:
    from deploy import broker

    running = home.running()
    url = setting("AMQP_URL") or (running.amqp_url if running else None)
    if url is None:
        return {"ok": True, "queues": [], "error": "not asked: RETURPOST_AMQP_URL is not set, and nothing runs here"}
    try:
        states = broker.states(url, running.senders if running else ("default",))
    except ReturpostError as error:
        return {"ok": False, "queues": [], "error": str(error)}
    rows = [
        {"name": state.name, "exists": state.exists, "waiting": state.waiting, "consumers": state.consumers}
        for state in states
    ]
    return {"ok": all(state.exists for state in states), "queues": rows, "error": None}


def _database(home: Home) -> dict[str, Any]:
    import psycopg

    running = home.running()
    url = setting("DATABASE_URL") or (running.database_url if running else None)
    if url is None:
        return {
            "ok": True,
            "bytes": None,
            "error": "not asked: RETURPOST_DATABASE_URL is not set, and nothing runs here",
        }
    try:
        with psycopg.connect(url, connect_timeout=DATABASE_TIMEOUT) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    except psycopg.Error as error:
        return {"ok": False, "bytes": None, "error": str(error).strip()}
    return {"ok": True, "bytes": row[0] if row else None, "error": None}


def _show(found: Mapping[str, Any]) -> None:
    from returpost.cli.terminal import out, table

    services = [
        (name, "ok" if service["ok"] else _ails(service), service["url"], service.get("outbox"))
        for name, service in found["services"].items()
    ]
    out.print(table("Services", ("service", "state", "API", "outbox"), services))
    consumers = {
        queue: {**consumer, "lag": service.get("lags", {}).get(queue)}
        for service in found["services"].values()
        for queue, consumer in service.get("consumers", {}).items()
    }
    rows = []
    for queue in found["queues"]["queues"]:
        consumer = consumers.get(queue["name"], {})
        lag = consumer.get("lag")
        state = "missing" if not queue["exists"] else "held" if consumer.get("paused_seconds") is not None else "ok"
        rows.append((queue["name"], state, queue["waiting"], queue["consumers"], "" if lag is None else f"{lag:.2f} s"))
    if rows:
        out.print(table("Queues", ("queue", "state", "waiting", "consumers", "lag of last batch"), rows))
    else:
        out.print(f"Queues: {found['queues']['error']}")
    size = found["database"]["bytes"]
    out.print(f"Database: {found['database']['error'] if size is None else f'ok, {size / 1e6:,.1f} MB'}")


def _ails(service: Mapping[str, Any]) -> str:
    if not service["answers"]:
        return "does not answer"
    held = [queue for queue, consumer in service.get("consumers", {}).items() if not consumer["ok"]]
    database = service.get("database", "ok")
    parts = [f"not consuming {', '.join(held)}" if held else "", f"database {database}" if database != "ok" else ""]
    return "; ".join(part for part in parts if part) or "not ready"
