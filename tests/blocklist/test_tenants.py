"""No tenant sees another's: every route that there is, asked with another tenant's token for what is the first one's.

The routes come from the OpenAPI document. One with a part in its path that is not named here fails: none is forgotten.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.blocklist.outbound_webhooks.receiver import Receiver, receiving
from tests.blocklist.suppression_files.test_imports import hand_in
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SECRETS = ("secret@example.com", "a-private-note", "/hook")
KNOWN = "ann@example.com"
"""An address that both know of: only the other's is said, blocked, cleared, erased."""
BODY: dict[str, Any] = {
    "accepted_bounces": 1,
    "address": KNOWN,
    "addresses": [KNOWN, "bob@example.com"],
    "cause": "unsubscribed",
    "corrections": [{"old": KNOWN, "new": "bob@example.com"}],
    "domains": ["gone.example"],
    "enabled": False,
    "from": "2026-01-01T00:00:00Z",
    "name": "other",
    "note": "other",
    "overlap_hours": 0,
    "reasons": {"user_unknown": "ignore"},
    "state": "lifted",
    "url": "http://127.0.0.1:1/",
    "version": 1,
}
"""What a request says, by the name of the field."""
LIST = f"{KNOWN}\nbob@example.com\n"
UNSAID = ("POST /v1/settings/undo", "POST /v1/residual-searches")
"""Routes that may refuse what they are asked for another reason: no version that could be returned to, no operator."""
OPEN = {"/health/live", "/health/ready", "/metrics"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    settings: dict[str, Any] = {"import_interval": 0.05, "webhook_interval": 0.05, "webhook_plain_http": True}
    async with harness.running(create, Settings, "blocklist", webhook_networks=["127.0.0.0/8"], **settings) as running:
        yield running


async def places(harness: Harness, blocklist: RunningService, receiver: Receiver) -> dict[str, str]:
    """Make one of everything that a path can name; return it by the name of the part of the path."""
    http, webhooks = blocklist.http, "/v1/webhooks"
    made = await http.post(webhooks, json={"name": "crm", "url": f"{receiver.url}/hook"})
    assert made.status_code == 201, made.text
    done = await hand_in(blocklist, f"{KNOWN}\nsecret@example.com\n", note="a-private-note")
    change = {"accepted_bounces": 3, "note": "a-private-note"}
    saved = (await http.put("/v1/settings", json=change)).raise_for_status().json()
    await eventually(lambda: asyncio.sleep(0, len(receiver.addresses) == 2))
    gone = {"domains": ["gone.example"], "note": "a-private-note"}
    (await http.post("/v1/domain-blocks", json=gone)).raise_for_status()
    await eventually(lambda: asyncio.sleep(0, any(b"gone.example" in one.body for one in receiver.posted)))
    await harness.fetch(
        "blocklist",
        "INSERT INTO storms (id, tenant, kind, value, begun, suspended_from, seen_at, bounces, of_bounces, note) VALUES"
        " ('00000000-0000-0000-0000-000000000001', 'acme', 'domain', 'example.com', now(), now(), now(), 9, 9, $1)",
        "a-private-note",
    )
    return {
        "{domain}": "gone.example",
        "/v1/addresses/{address:path}": "/v1/addresses/ann@example.com",
        "/v1/blocks/imports/{identity}": f"/v1/blocks/imports/{done['id']}",
        "/v1/jobs/{id}": f"/v1/jobs/{saved['job']['id']}",
        "/v1/storms/{id}": "/v1/storms/00000000-0000-0000-0000-000000000001",
        "{delivery}": receiver.posted[0].id,
        "/v1/webhooks/{name}": "/v1/webhooks/crm",
    }


async def test_no_route_shows_or_changes_what_is_anothers(
    harness: Harness, blocklist: RunningService, receiver: Receiver
) -> None:
    named = await places(harness, blocklist, receiver)
    other = {"Authorization": f"Bearer {harness.token(tenant='other')}"}
    before, posted = await everything(harness), len(receiver.posted)
    checked = await blocklist.http.post("/v1/check", headers=other, json={"addresses": [KNOWN]})
    assert checked.raise_for_status().json()["skip"] == []
    asked = 0
    needed = {"/v1/webhook-deliveries": {"event": receiver.posted[0].events[0]["id"], "since": "2000-01-01T00:00:00Z"}}
    for method, declared, operation in operations(blocklist.service.app.openapi()):
        # The first converts what it is given, whose ever it is; consumers are the service's and no tenant's.
        if declared == "/v1/reconcile/file" or declared.startswith("/v1/consumers/"):
            continue
        path = declared.replace("{address}", "{address:path}")
        for part, place in named.items():
            path = path.replace(part, place)
        assert "{" not in path, f"{declared}: say in this test what it names"
        query = dict(needed.get(declared, {}))
        content = content_of(operation, blocklist.service.app.openapi())
        answer = await blocklist.http.request(method, path, headers=other, params=query, **content)
        holds_nothing(answer, f"{method} {declared}")
        assert answer.status_code not in (400, 405, 415, 422) or f"{method} {declared}" in UNSAID, answer.text
        query["tenant"] = TENANT
        refused = await blocklist.http.request(method, path, headers=other, params=query, **content)
        assert refused.status_code == 403, f"{method} {declared}: {refused.status_code}"
        asked += 1
    assert asked > 30
    assert await everything(harness) == before
    assert len(receiver.posted) == posted


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of every route that is somebody's."""
    for path, methods in document["paths"].items():
        if path not in OPEN:
            yield from ((method.upper(), path, operation) for method, operation in methods.items())


def content_of(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return a body such as the route takes: every field that is said above, or a list of addresses."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return {"content": LIST}
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    unknown = set(schema.get("required", ())) - set(BODY)
    assert not unknown, f"say in this test what is said for {unknown}"
    return {"json": {name: BODY[name] for name in schema["properties"] if name in BODY}}


def holds_nothing(answer: httpx.Response, place: str) -> None:
    assert answer.status_code < 500, f"{place}: {answer.text}"
    for secret in SECRETS:
        assert secret not in answer.text, f"{place}: {answer.text}"


TABLES = """
    SELECT c.table_name FROM information_schema.columns AS c JOIN pg_class AS p ON p.oid = c.table_name::regclass
    WHERE c.table_schema = 'blocklist' AND c.column_name = 'tenant' AND NOT p.relispartition
      AND c.table_name <> 'webhooks' ORDER BY 1
"""


async def everything(harness: Harness) -> list[Any]:
    """Return all that the tenant has, but for what time alone changes."""
    found: list[Any] = []
    tables = [row["table_name"] for row in await harness.fetch("blocklist", TABLES)]
    assert len(tables) > 6
    for table in tables:
        rows = await harness.fetch("blocklist", f"SELECT * FROM {table} WHERE tenant = 'acme'")  # noqa: S608 - names of the catalogue
        found.append(sorted(map(repr, rows)))
    kept = (
        "SELECT name, url, version, enabled, secret, old_secret, start_at, last_offset, generation FROM webhooks"
        " WHERE tenant = 'acme'"
    )
    found.append([repr(row) for row in await harness.fetch("blocklist", kept)])
    return found
