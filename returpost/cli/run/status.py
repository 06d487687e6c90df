"""`returpost status`: services, queues, database."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import typer

from returpost.cli import server
from returpost.cli.env_config import setting
from returpost.cli.installation import Installation
from returpost.cli.operate.queues import state_of
from returpost.cli.options import FOLDER, Folder, Json, urls_of
from returpost.errors import Unavailable

NEEDS_SERVER = "not asked: needs the server (a checkout or the image)"


def status(directory: Folder = FOLDER, as_json: Json = False) -> None:
    """Show services, queues with depth, consumers and lag, and the database.

    Exit code 0: everything works; 1: something does not; 3: no service answers.
    """
    from returpost.cli.terminal import print_json

    installation = Installation(directory)
    urls = urls_of(installation)
    with ThreadPoolExecutor(len(urls) + 2) as pool:
        asked = {service: pool.submit(_service, service, urls) for service in urls}
        queues = pool.submit(_server_part, "queue_states", installation, {"queues": []})
        size = pool.submit(_server_part, "database_state", installation, {"bytes": None})
        found: dict[str, Any] = {
            "services": {service: answer.result() for service, answer in asked.items()},
            "queues": queues.result(),
            "database": size.result(),
        }
    found["token"] = _token()
    found["left_behind"] = server.hook("left_behind")(installation) if server.is_here() else []
    found["ok"] = (
        not found["left_behind"]
        and all(part["ok"] for part in (*found["services"].values(), found["database"]))
        and found["queues"]["ok"]
    )
    if as_json:
        print_json(found)
    else:
        _show(found)
    if not any(service["answers"] for service in found["services"].values()):
        raise typer.Exit(3)
    raise typer.Exit(0 if found["ok"] else 1)


def _service(service: str, urls: Mapping[str, str]) -> dict[str, Any]:
    from returpost.cli.http.api import Api

    api = Api(urls, "")
    try:
        return {"url": urls[service], "answers": True, **api.health(service), "lags": api.lags(service)}
    except Unavailable as error:
        return {"url": urls[service], "answers": False, "ok": False, "error": str(error)}


def _token() -> dict[str, Any] | None:
    """Return until when the token of this command line is valid; none when it has none, or none that says so."""
    try:
        part = (setting("TOKEN") or "").split(".")[1]
        ends = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"]
        return {"valid_until": datetime.fromtimestamp(float(ends), UTC).isoformat()}
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return None


def _server_part(name: str, installation: Installation, missing: Mapping[str, Any]) -> dict[str, Any]:
    if not server.is_here():
        return {"ok": True, "error": NEEDS_SERVER, **missing}
    found: dict[str, Any] = server.hook(name)(installation)
    return found


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
        state = "missing" if not queue["exists"] else state_of(consumer) if consumer else "ok"
        rows.append((queue["name"], state, queue["waiting"], queue["consumers"], "" if lag is None else f"{lag:.2f} s"))
    if rows:
        out.print(table("Queues", ("queue", "state", "waiting", "consumers", "lag of last batch"), rows))
    else:
        out.print(f"Queues: {found['queues']['error']}")
    for what, end in _ends(found):
        out.print(f"{what}: {end}")
    size = found["database"]["bytes"]
    if left := found["left_behind"]:
        out.print(
            f"{' and '.join(left)}: left running by a `returpost up` that was killed; `returpost down` stops them"
        )
    out.print(f"Database: {found['database']['error'] if size is None else f'ok, {size / 1e6:,.1f} MB'}")


def _ends(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what ends some day, and when."""
    if found["token"]:
        yield "Your token", until(found["token"]["valid_until"])
    for service in found["services"].values():
        for name, seen in (service.get("certificates") or {}).items():
            yield f"Certificate of {name}", until(seen["valid_until"]) if seen["valid_until"] else f"? {seen['error']}"
        if ending := service.get("tokens_ending"):
            yield "Long-lived tokens that end within 14 days", f"{ending:,}; the page *Users and tokens* names them"


def until(moment: str, now: datetime | None = None) -> str:
    """Say when something ends, and in how many days."""
    end = datetime.fromisoformat(moment)
    days = (end - (now or datetime.now(UTC))).total_seconds() / 86_400
    return f"{'expired' if days < 0 else 'valid until'} {end:%Y-%m-%d %H:%M} UTC ({abs(days):.1f} days)"


def _ails(service: Mapping[str, Any]) -> str:
    if not service["answers"]:
        return "does not answer"
    held = [queue for queue, consumer in service.get("consumers", {}).items() if not consumer["ok"]]
    database = service.get("database", "ok")
    parts = [f"not consuming {', '.join(held)}" if held else "", f"database {database}" if database != "ok" else ""]
    return "; ".join(part for part in parts if part) or "not ready"
