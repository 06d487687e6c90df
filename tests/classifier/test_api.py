"""What the service tells over HTTP, and whom."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.classifier.app import create
from services.classifier.settings import Settings
from shared.messaging.topology import queues
from tests.classifier.model import Input, address, message, moment
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def classifier(harness: Harness) -> AsyncIterator[RunningService]:
    """The service, its clock standing still at the start, so that nothing becomes due."""
    async with harness.running(create, Settings, "classifier", lambda: moment(0)) as running:
        yield running


async def tell(harness: Harness, *given: Input, tenant: str = TENANT) -> None:
    """Send bounces, and wait until they have been judged."""
    before = len(await harness.fetch("classifier", "SELECT FROM verdicts"))
    await harness.send(*[message(one, tenant) for one in given])
    wanted = before + len(given)
    await eventually(lambda: harness.fetch("classifier", "SELECT FROM verdicts"), lambda rows: len(rows) == wanted)


async def get(running: RunningService, path: str, **query: Any) -> Any:
    answer = await running.http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_verdicts_are_counted_by_type_and_reason(harness: Harness, classifier: RunningService) -> None:
    await tell(harness, *(Input("dead", n, 0) for n in range(3)), Input("full", 1, 0, "m2"), Input("dead", 1, 0, "m2"))
    await tell(harness, Input("grey", 1, 0), tenant="rival")
    assert (await get(classifier, "/v1/verdicts/counts"))["items"] == [
        {"type": "hard", "reason": "user_unknown", "count": 4},
        {"type": "soft", "reason": "mailbox_full", "count": 1},
    ]
    assert (await get(classifier, "/v1/verdicts/counts", mailing="m2"))["items"] == [
        {"type": "hard", "reason": "user_unknown", "count": 1},
        {"type": "soft", "reason": "mailbox_full", "count": 1},
    ]
    assert (await get(classifier, "/v1/verdicts/counts", mailing="m3"))["items"] == []


async def test_retries_are_counted_by_state(harness: Harness, classifier: RunningService) -> None:
    soft = [Input("full", n, minute) for n in range(3) for minute in range(n + 1)]
    await tell(harness, *soft, Input("dead", 2, 9), Input("full", 1, 0, "m2"))
    assert (await get(classifier, "/v1/retries/counts", mailing="m1"))["items"] == [
        {"state": "failed", "count": 1, "soft_bounces": 3},
        {"state": "waiting", "count": 2, "soft_bounces": 3},
    ]
    assert (await get(classifier, "/v1/retries/counts"))["items"] == [
        {"state": "failed", "count": 1, "soft_bounces": 3},
        {"state": "waiting", "count": 3, "soft_bounces": 4},
    ]


async def pages(running: RunningService, **query: Any) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    after = None
    while True:
        page = await get(running, "/v1/retries", **query, **({"cursor": after} if after else {}))
        found.append(page["items"])
        after = page["next_cursor"]
        if after is None:
            return found


@pytest.mark.parametrize(("limit", "sizes"), [(3, [3, 3, 1]), (7, [7]), (1, [1] * 7), (1000, [7])])
async def test_retries_are_paged(harness: Harness, classifier: RunningService, limit: int, sizes: list[int]) -> None:
    await tell(harness, *(Input("full", n, 0) for n in range(7)), Input("dead", 8, 0))
    await tell(harness, Input("full", 9, 0), tenant="rival")
    found = await pages(classifier, state="waiting", limit=limit)
    assert [len(page) for page in found] == sizes
    rows = [row for page in found for row in page]
    assert {row["address"] for row in rows} == {address(n) for n in range(7)}
    assert len({row["recipient"] for row in rows}) == 7
    first = rows[0]
    assert (first["mailing"], first["sender"], first["reason"]) == ("m1", "news", "mailbox_full")
    assert (first["state"], first["soft_bounces"], first["requested_at"]) == ("waiting", 1, None)
    assert await pages(classifier, state="lost") == [[]]


async def test_wrong_questions_are_named(classifier: RunningService, subtests: pytest.Subtests) -> None:
    queries: tuple[dict[str, Any], ...] = (
        {},
        {"state": "weather"},
        {"state": "waiting", "limit": 0},
        {"state": "waiting", "limit": 1001},
        {"state": "waiting", "cursor": "!" * 4_001},
        {"state": "waiting", "tenant": "No Name"},
    )
    for query in queries:
        field = list(query)[-1] if query else "state"
        with subtests.test(field):
            answer = await classifier.http.get("/v1/retries", params=query)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["field"] == f"query.{field}"


PATHS = ["/v1/verdicts/counts", "/v1/retries/counts", "/v1/retries?state=waiting"]


@pytest.mark.parametrize("path", PATHS)
async def test_tenants_do_not_see_each_other(harness: Harness, classifier: RunningService, path: str) -> None:
    await tell(harness, Input("full", 1, 0))
    rival = {"Authorization": f"Bearer {harness.token(tenant='rival')}"}
    everybody = {"Authorization": f"Bearer {harness.token(tenant='*')}"}
    join = "&" if "?" in path else "?"
    own = await classifier.http.get(path, headers=rival)
    assert own.json() == {"items": [], "next_cursor": None}
    assert (await classifier.http.get(f"{path}{join}tenant={TENANT}", headers=rival)).status_code == 403
    assert (await classifier.http.get(path, headers=everybody)).status_code == 400
    for headers in (everybody, {}):
        seen = await classifier.http.get(f"{path}{join}tenant={TENANT}", headers=headers)
        assert seen.status_code == 200
        assert "mailbox_full" in seen.text or "waiting" in seen.text


@pytest.mark.parametrize("path", PATHS)
async def test_rights(harness: Harness, classifier: RunningService, path: str) -> None:
    sender = {"Authorization": f"Bearer {harness.token(scopes=('send', 'check'))}"}
    assert (await classifier.http.get(path, headers=sender)).status_code == 403
    for wrong in ("", "Bearer x.y.z"):
        assert (await classifier.http.get(path, headers={"Authorization": wrong})).status_code == 401


async def test_health_and_metrics(harness: Harness, classifier: RunningService) -> None:
    await tell(harness, Input("full", 1, 0))
    health = await get(classifier, "/health/ready")
    assert (health["ok"], health["database"]) == (True, "ok")
    own = {queue.name for queue in queues(()) if queue.name.startswith("classifier.")}
    assert set(health["consumers"]) == own, "it consumes each queue that is declared for it"
    counted = 'returpost_events_in_total{outcome="processed",queue="classifier.bounce-received"}'
    metrics = await eventually(lambda: classifier.http.get("/metrics"), lambda answer: counted in answer.text)
    assert address(1) not in metrics.text


async def test_evidence_is_judged_and_explained(harness: Harness, classifier: RunningService) -> None:
    evidence = [
        {"diagnostic": "550 5.1.1 user unknown", "reply_code": 550, "status": "5.1.1"},
        {"diagnostic": "550 user unknown; relaying denied", "reply_code": 550},
        {"kind": "delayed"},
    ]
    answer = await classifier.http.post("/v1/classify", json={"evidence": evidence})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    dead, relayed, delayed = told["verdicts"]
    assert (dead["reason"], dead["dead_address"], dead["rules"]) == ("user_unknown", True, told["rules"])
    assert relayed["reason"] == "relay_denied"
    assert relayed["runners_up"]
    assert (delayed["type"], delayed["runners_up"]) == ("none", [])
    assert await harness.fetch("classifier", "SELECT FROM verdicts") == []
    assert (await classifier.http.post("/v1/classify", json={"evidence": []})).status_code == 422


async def test_rules_lists_them_by_precedence(classifier: RunningService) -> None:
    told = await get(classifier, "/v1/rules")
    assert told["fault"] is None
    assert len(told["items"]) > 100
    precedences = [rule["precedence"] for rule in told["items"]]
    assert precedences == sorted(precedences, reverse=True)
