"""An erased address is nowhere any more: every table of every service, every queue and every stream is searched for it.

Beforehand it is in all of them: mailed, returned, reported, blocked, corrected, imported, exported, posted to a CRM.
What is left are events in streams, which go by their age, and keyed hashes.
"""

import base64
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from deploy.rabbitmq.search import Said, search
from deploy.rabbitmq.whole_streams import STREAMS
from returpost.contracts.routing import ARCHIVE, BLOCKS, SERVICES
from shared.database.compressed_search import says
from shared.database.residual_search import forms
from shared.http.auth import ALL_TENANTS, SCOPES, issue
from tests.actions.operations.operations_api import run_operation, selected
from tests.blocklist.outbound_webhooks.receiver import receiving
from tests.replay.test_service import dead_letters, die, post
from tests.support.harness import TENANT, TOKEN_KEY, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

ANN = "Ann@BLÅBÆR.example"
BOB = "bob@example.com"
KEY = "ann@xn--blbr-roah.example"
MAIL = f"""From: MAILER-DAEMON@mx.example
To: bounces@example.com
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x

It did not go.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {KEY}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{KEY}> User unknown

--x--
"""


@pytest.fixture
async def services(harness: Harness) -> AsyncIterator[dict[str, RunningService]]:
    async with AsyncExitStack() as stack:
        running = {}
        for name in SERVICES:
            module = import_module(f"services.{name}.app")
            kind = import_module(f"services.{name}.settings").Settings
            own = {"webhook_networks": ("127.0.0.0/8",), "webhook_plain_http": True} if name == "blocklist" else {}
            running[name] = await stack.enter_async_context(harness.running(module.create, kind, name, **own))
        yield running


async def in_tables(services: dict[str, RunningService], address: str = ANN) -> dict[str, dict[str, int]]:
    """Return the columns of each service that say the address, and in how many rows."""
    found = {}
    bearer = issue(TOKEN_KEY, name="test", tenant=ALL_TENANTS, scopes=SCOPES, lifetime=timedelta(hours=1))
    for name, running in services.items():
        answer = await running.http.post(
            "/v1/residual-searches", json={"address": address}, params={"tenant": TENANT},
            headers={"Authorization": f"Bearer {bearer}"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        found[name] = {f"{one['table']}.{one['column']}": one["rows"] for one in answer.json()["found"]}
    return found


async def in_broker(harness: Harness, address: str = ANN) -> dict[str, Said]:
    said = await search(harness.amqp_url, TENANT, forms(address), ["default"])
    return {one.place: one for one in said if one.messages}


async def everywhere(services: dict[str, RunningService], hook: str) -> None:
    """Have the address in every service: sent, returned, blocked, lifted, corrected, imported, listed, exported."""
    ingest, blocklist, actions = (services[name].http for name in ("ingest", "blocklist", "actions"))
    (await blocklist.post("/v1/webhooks", json={"name": "crm", "url": hook})).raise_for_status()
    (
        await actions.put("/v1/contacts/c1", json={"name": f"Ann {KEY}", "company": "Fjord", "addresses": [ANN]})
    ).raise_for_status()
    lines = [
        {"mailing": "m1", "address": ANN, "result": "sent", "time": "2026-01-01T08:00:00Z"},
        {"mailing": "m1", "address": ANN, "result": "bounced", "time": "2026-01-01T08:01:00Z",
         "diagnostic": f"452 4.2.2 <{KEY}> Mailbox full"},
        {"mailing": "m2", "address": ANN, "result": "bounced", "time": "2026-01-01T08:01:00Z",
         "diagnostic": f"550 5.1.1 <{KEY}> User unknown"},
    ]  # fmt: skip
    content = "".join(json.dumps(line) + "\n" for line in lines)
    ndjson = {"Content-Type": "application/x-ndjson"}
    (await ingest.post("/v1/delivery-results", content=content, headers=ndjson)).raise_for_status()
    (await ingest.post("/v1/bounce-mails", content=MAIL, headers={"Content-Type": "message/rfc822"})).raise_for_status()
    await eventually(lambda: blocked(services), lambda seen: seen)
    said: list[tuple[str, dict[str, Any]]] = [
        ("/v1/blocks/clear", {"addresses": [ANN], "note": f"{ANN} called"}),
        ("/v1/addresses/correct", {"corrections": [{"old": "an@example.com", "new": ANN}]}),
        ("/v1/blocks", {"addresses": [ANN]}),
    ]
    for path, body in said:
        (await blocklist.post(path, json=body)).raise_for_status()
    csv = {"Content-Type": "text/csv"}
    answer = await blocklist.post("/v1/blocks/imports", content=f"address\n{ANN}\n", headers=csv)
    await eventually(
        lambda: blocklist.get(f"/v1/blocks/imports/{answer.json()['id']}"),
        lambda seen: seen.json()["state"] == "finished",
    )
    await run_operation(services["actions"], "copy_to_selection", selected(KEY), name=f"found by {KEY}")
    for format_ in ("csv", "xlsx"):
        labels = {"reason": {"user_unknown": f"unknown, as {KEY}"}}
        await run_operation(services["actions"], "export", selected(KEY), format=format_, labels=labels)
    for asked in ({"q": ANN}, {"q": f"*{KEY}"}, {"company": f"Fjord of {KEY}"}):
        await run_operation(services["actions"], "export", {"filter": {"view": "blocked", **asked}}, format="csv")
    await run_operation(services["actions"], "correct_address", selected("an@example.com"), new=ANN, anyway=True)
    view = {"page": "/blocked", "name": f"{ANN} again"}
    (await actions.post("/v1/saved-views", json=view)).raise_for_status()


async def in_dead_letters(harness: Harness, replay: RunningService) -> None:
    """Have the address in dead letters: of one event, of several, of a command over many, of no event at all; and in
    what operators say of them.
    """
    other = {"id": "2", "tenant": TENANT, "data": {"address": BOB}}
    one = {"id": "1", "tenant": TENANT, "data": {"address": ANN, "diagnostic": f"550 <{KEY}> unknown"}}
    packed = base64.b64encode(zlib.compress(MAIL.encode())).decode()
    bodies = (
        json.dumps(one), json.dumps([one, other]), json.dumps({**other, "data": {"addresses": [BOB, KEY]}}), MAIL,
        json.dumps({"id": "3", "data": {"body": packed}}), json.dumps({**other, "id": "4"}),
    )  # fmt: skip
    for body in bodies:
        await die(harness, body.encode(), f"data.address: {KEY} is refused")
    found = await dead_letters(replay, len(bodies))
    note = {"status": "known", "owner": f"asked by {ANN}", "note": f"{KEY} called"}
    path = f"/v1/dead-letters/groups/{found[0]['fingerprint']}/note"
    (await replay.http.put(path, json=note)).raise_for_status()
    await post(replay, "/v1/dead-letters/discard", text=f"data.address: {KEY}", queue="none of them")


async def bodies(harness: Harness) -> list[Any]:
    rows = await harness.fetch("replay", "SELECT body FROM dead_letters ORDER BY number")
    return [json.loads(row["body"]) for row in rows]


async def blocked(services: dict[str, RunningService]) -> bool:
    answer = await services["actions"].http.get("/v1/views/blocked", params={"limit": 5})
    return KEY in answer.text


async def test_what_is_left_of_an_erased_address_is_known(
    harness: Harness, services: dict[str, RunningService]
) -> None:
    async with receiving() as receiver:
        await everywhere(services, f"{receiver.url}/hook")
        await in_dead_letters(harness, services["replay"])
        before = await in_tables(services)
        assert all(before[name] for name in ("ingest", "classifier", "blocklist", "actions", "replay")), before
        assert before["actions"]["operation_files.bytes"] == 3
        assert set(await in_broker(harness)) >= {ARCHIVE, BLOCKS}

        (await services["blocklist"].http.post("/v1/addresses/erase", json={"addresses": [ANN]})).raise_for_status()
        left = await eventually(lambda: in_tables(services), lambda seen: not any(seen.values()))
        assert set(left) == set(SERVICES)
        await eventually(lambda: in_broker(harness), lambda seen: set(seen) <= set(STREAMS))
        assert receiver.posted
        other = {"id": "2", "tenant": TENANT, "data": {"address": BOB}}
        command = {**other, "data": {"addresses": [BOB]}}
        assert await bodies(harness) == [[other], command, {**other, "id": "4"}]


def test_any_form_of_an_address_is_recognised() -> None:
    wanted = forms("Ann Berg <ANN@BLÅBÆR.example>")
    for text in ("ANN@xn--blbr-roah.EXAMPLE", "bounces+ann=blåbær.example@us.example", "?a=ann%40xn--blbr-roah.example",
                 '{"a": "ann@bl\\u00e5b\\u00e6r.example"}'):  # fmt: skip
        assert says(text.encode(), wanted), text
        assert says(zlib.compress(b"x" * 100_000 + text.encode()), wanted)
    assert not says(b"bob@xn--blbr-roah.example ann@example.com", wanted)
