"""Who may ask what of replay, and how a wrong request is told."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from services.replay.app import create
from services.replay.settings import Settings
from shared.http.auth import SCOPES
from tests.support.harness import Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]

ARCHIVE = {
    "selection": {
        "type": "returpost.delivery.recorded.v1",
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-01-02T00:00:00Z",
        "into": "actions.delivery-recorded",
    }
}
DEAD_LETTERS = {"selection": {"all": True}}
FIND = {"filter": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}}
ID = uuid4()
ROUTES: list[tuple[str, str, dict[str, Any] | None, int]] = [
    ("GET", "/v1/dead-letters", None, 200),
    ("GET", "/v1/dead-letters/groups", None, 200),
    ("GET", f"/v1/dead-letters/{ID}", None, 404),
    ("GET", f"/v1/dead-letters/{ID}/body?why=a+test", None, 404),
    ("GET", f"/v1/dead-letters/{ID}/history", None, 404),
    ("GET", "/v1/dead-letters/groups/f/note", None, 404),
    ("PUT", "/v1/dead-letters/groups/f/note", {"status": "known"}, 204),
    ("GET", "/v1/audit", None, 200),
    ("POST", "/v1/dead-letters/plan", DEAD_LETTERS, 200),
    ("POST", "/v1/dead-letters/replay", DEAD_LETTERS, 202),
    ("POST", "/v1/dead-letters/discard", DEAD_LETTERS, 202),
    ("POST", "/v1/dead-letters/restore", DEAD_LETTERS, 202),
    ("POST", "/v1/archive/search", FIND, 200),
    ("POST", "/v1/archive/plan", ARCHIVE, 200),
    ("POST", "/v1/archive/replay", ARCHIVE, 202),
    ("GET", "/v1/jobs", None, 200),
    ("GET", f"/v1/jobs/{ID}", None, 404),
    ("POST", f"/v1/jobs/{ID}/stop", None, 404),
    ("POST", f"/v1/jobs/{ID}/pause", None, 404),
    ("POST", f"/v1/jobs/{ID}/resume", None, 404),
]


@pytest.fixture
async def replay(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "replay") as running:
        yield running


async def test_every_route_wants_a_token_with_the_right_to_operate(harness: Harness, replay: RunningService) -> None:
    others = tuple(scope for scope in SCOPES if scope != "operate")
    for method, path, body, _ in ROUTES:
        for header, status in (
            ("", 401),
            ("Bearer x.y.z", 401),
            (f"Bearer {harness.token(tenant='*', scopes=others)}", 403),
        ):
            answer = await replay.http.request(method, path, json=body, headers={"Authorization": header})
            assert answer.status_code == status, (path, answer.text)
        if body and "selection" in body and path.startswith("/v1/archive"):
            one_tenant = {"Authorization": f"Bearer {harness.token(scopes=('operate',))}"}
            another = {**body, "selection": {**body["selection"], "tenant": "another"}}
            answer = await replay.http.request(method, path, json=another, headers=one_tenant)
            assert answer.status_code == 403, "the archive of another tenant"
    assert await harness.fetch("replay", "SELECT FROM jobs") == []
    operator = {"Authorization": f"Bearer {harness.token(tenant='*', scopes=('operate',))}"}
    for method, path, body, status in ROUTES:
        answer = await replay.http.request(method, path, json=body, headers=operator)
        assert answer.status_code == status, (path, answer.text)
        if status == 404:
            assert str(ID) in answer.json()["title"] or "no note" in answer.json()["title"]


BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("GET", "/v1/dead-letters", {"params": {"limit": 0}}, "query.limit"),
    ("GET", "/v1/dead-letters", {"params": {"limit": 1001}}, "query.limit"),
    ("GET", "/v1/dead-letters", {"params": {"cursor": "!" * 4_001}}, "query.cursor"),
    ("GET", "/v1/dead-letters", {"params": {"state": "asleep"}}, "query.state"),
    ("GET", "/v1/dead-letters", {"params": {"queue": "\x00"}}, "query.queue"),
    ("GET", "/v1/dead-letters", {"params": {"since": "2026-01-01"}}, "query.since"),
    ("GET", "/v1/dead-letters/groups", {"params": {"state": "asleep"}}, "query.state"),
    ("GET", "/v1/dead-letters/x", {}, "path.identity"),
    ("GET", "/v1/jobs/x", {}, "path.identity"),
    ("POST", "/v1/dead-letters/bake", {"json": DEAD_LETTERS}, "path.action"),
    ("POST", "/v1/dead-letters/replay", {"json": {"selection": {}}}, "body.selection"),
    ("POST", "/v1/dead-letters/replay", {"json": {"selection": {"queue": "\x00"}}}, "body.selection.queue"),
    ("POST", "/v1/dead-letters/replay", {"json": DEAD_LETTERS | {"rate": -1}}, "body.rate"),
    ("POST", "/v1/dead-letters/plan", {"json": DEAD_LETTERS, "params": {"action": "bake"}}, "query.action"),
    ("POST", "/v1/archive/replay", {"json": {"selection": ARCHIVE["selection"] | {"into": "q"}}}, "body.selection"),
    (
        "POST",
        "/v1/archive/replay",
        {"json": {"selection": ARCHIVE["selection"] | {"type": "x"}}},
        "body.selection.type",
    ),
    ("POST", "/v1/archive/replay", {"json": ARCHIVE, "params": {"expected": -1}}, "query.expected"),
    ("POST", "/v1/archive/plan", {"json": ARCHIVE | {"rate": 100_001}}, "body.rate"),
]


async def test_a_wrong_field_is_named(harness: Harness, replay: RunningService) -> None:
    for method, path, what, field in BAD:
        answer = await replay.http.request(method, path, **what)
        assert answer.status_code == 422, (path, what, answer.text)
        assert answer.json()["errors"][0]["field"].startswith(field), (path, what, answer.text)
    assert await harness.fetch("replay", "SELECT FROM jobs") == []


def test_the_document_names_the_queue() -> None:
    assert "replay.dead-letters" in str(create(Settings()).asyncapi())
