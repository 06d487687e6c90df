"""Who may ask what of actions, and how a wrong request is told."""

from typing import Any

import httpx
import pytest

from shared.http.pagination import encode_cursor
from tests.support.harness import TENANT, Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]

CLEAR = {"operation": "clear_bounce_flag", "target": {"addresses": ["u1@example.com"]}}
READS = (
    "/v1/mailings",
    "/v1/mailings/m1/recipients",
    "/v1/returns",
    "/v1/contacts",
    "/v1/operations",
    "/v1/operations/op-1",
    "/v1/audit",
)
ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    *(("GET", path, {}) for path in READS),
    ("PUT", "/v1/mailings/m1/recipients", {"json": ["u1@example.com"]}),
    ("PUT", "/v1/contacts/c1", {"json": {"name": "Ann"}}),
    ("POST", "/v1/contacts/import", {"content": b"id,email\nc1,a@x.no\n"}),
    ("POST", "/v1/operations", {"json": CLEAR}),
]


async def written(harness: Harness) -> int:
    rows = await harness.fetch(
        "actions",
        "SELECT (SELECT count(*) FROM recipients) + (SELECT count(*) FROM contacts) + (SELECT count(*) FROM audit)"
        " + (SELECT count(*) FROM operations) AS count",
    )
    return int(rows[0]["count"]) + await harness.depth("blocklist.block-clear")


async def test_every_route_wants_a_token_its_scope_and_its_tenant(harness: Harness, actions: RunningService) -> None:
    for method, path, body in ROUTES:

        async def ask(token: str | None, tenant: str | None = None) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": ""}
            params = {"tenant": tenant} if tenant else {}
            return await actions.http.request(method, path, headers=headers, params=params, **body)  # noqa: B023

        wrong = ("read",) if method != "GET" else ("write", "operate", "check", "send")
        assert (await ask(None)).status_code == 401, path
        assert (await ask("x.y.z")).status_code == 401, path
        assert (await ask(harness.token(scopes=wrong))).status_code == 403, path
        assert (await ask(harness.token(), "other")).status_code == 403, path
        assert (await ask(harness.token(tenant="*"))).status_code == 400, path
        assert (await ask(harness.token(tenant="*"), "Not a name")).status_code == 422, path
    assert await written(harness) == 0
    for method, path, body in ROUTES:
        token = harness.token(tenant="*", scopes=("read" if method == "GET" else "write",))
        answer = await actions.http.request(
            method, path, headers={"Authorization": f"Bearer {token}"}, params={"tenant": TENANT}, **body
        )
        assert answer.status_code < 300 or path.endswith("op-1"), answer.text
    missing = await actions.http.get("/v1/operations/op-1")
    assert missing.status_code == 404
    assert "op-1" in missing.json()["title"]


BAD: list[tuple[str, str, dict[str, Any], str]] = [
    *(
        ("GET", path, {"params": {"limit": n}}, "query.limit")
        for path in ("/v1/mailings", "/v1/mailings/m1/recipients", "/v1/returns", "/v1/contacts", "/v1/audit")
        for n in (0, 1001, "x")
    ),
    ("GET", "/v1/mailings/m1/recipients", {"params": {"status": "asleep"}}, "query.status"),
    ("GET", "/v1/mailings/m1/recipients", {"params": {"reason": "weather"}}, "query.reason"),
    ("GET", f"/v1/mailings/{'m' * 201}/recipients", {}, "path.mailing"),
    ("GET", "/v1/returns", {"params": {"hard": "perhaps"}}, "query.hard"),
    ("PUT", "/v1/mailings/m1/recipients", {"json": ["u1@example.com", "nobody"]}, "body.1"),
    ("PUT", "/v1/mailings/m1/recipients", {"json": []}, "body"),
    ("PUT", "/v1/mailings/m%00/recipients", {"json": ["u1@example.com"]}, "path.mailing"),
    ("PUT", "/v1/contacts/c1", {"json": {"name": "A\x00"}}, "body.name"),
    ("PUT", "/v1/contacts/c1", {"json": {"nickname": "A"}}, "body.nickname"),
    ("PUT", "/v1/contacts/c1", {"json": {"addresses": ["nobody"]}}, "body.addresses.0"),
    ("PUT", "/v1/contacts/c1", {"content": b"{"}, "body"),
    *(
        ("POST", "/v1/operations", {"json": CLEAR | {"target": target}}, field)
        for target, field in (
            ({"addresses": []}, "body.target.addresses"),
            ({"returned_in": ""}, "body.target.returned_in"),
            ({}, "body.target"),
        )
    ),
    ("POST", "/v1/operations", {"json": CLEAR | {"operation": "bake"}}, "body.operation"),
    (
        "POST",
        "/v1/operations",
        {"json": CLEAR | {"target": {"addresses": ["u@x.no", "nobody"]}}},
        "body.target.addresses.1",
    ),
    (
        "POST",
        "/v1/operations",
        {"json": CLEAR | {"target": {"addresses": ["u@x.no"] * 100_001}}},
        "body.target.addresses",
    ),
    (
        "POST",
        "/v1/operations",
        {"json": CLEAR | {"target": {"addresses": ["u@x.no"], "returned_in": "m"}}},
        "body.target",
    ),
    ("POST", "/v1/operations", {"json": CLEAR | {"parameters": {"list": "x"}}}, "body.parameters.list"),
    ("POST", "/v1/operations", {"json": CLEAR | {"operation": "copy_to_selection"}}, "body.parameters.name"),
    ("POST", "/v1/operations", {"json": CLEAR, "headers": {"Idempotency-Key": ""}}, "header.idempotency-key"),
    ("POST", "/v1/operations/op-1/confirm", {"json": {}}, "body.token"),
    ("POST", "/v1/operations/op-1/cancel", {"json": {"keep": "what"}}, "body.keep"),
    ("GET", "/v1/operations/op-1/rows", {"params": {"outcome": "good"}}, "query.outcome"),
    ("POST", "/v1/operations", {"json": CLEAR | {"note": "\x00"}}, "body.note"),
    ("POST", "/v1/operations", {"json": CLEAR | {"by": "eve"}}, "body.by"),
]


async def test_a_wrong_field_is_named(harness: Harness, actions: RunningService) -> None:
    for method, path, what, field in BAD:
        answer = await actions.http.request(method, path, **what)
        assert answer.status_code == 422, (path, what, answer.text)
        (first, *_) = answer.json().get("errors") or [{"field": ""}]
        assert first["field"].startswith(field), (path, what, answer.text)
        assert "nobody" not in answer.text
        assert "Value error" not in answer.text
    assert await written(harness) == 0


LISTS = (
    "/v1/mailings",
    "/v1/mailings/m1/recipients",
    "/v1/returns",
    "/v1/contacts",
    "/v1/operations",
    "/v1/operations/op-1/rows",
    "/v1/audit",
    "/v1/selections",
    "/v1/selections/s/members",
    "/v1/views/returned",
    "/v1/statistics/mailings",
    "/v1/users",
    "/v1/tokens",
)
CURSORS = ("x", "\x00", *(encode_cursor(*one) for one in ((), (2**63,), (-1,), (True,), (1.5,), ("\x00",), (0,) * 5)))
"""None of them is what a page of any list gives."""
TIMES = ("yesterday", "2026-01-02T03:04:05", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00")
"""None of them is a time that a page gives."""


async def test_lists_refuse_cursors_they_did_not_give(actions: RunningService) -> None:
    for path in LISTS:
        first = await actions.http.get(path)
        assert (first.status_code, first.json().get("items")) == ((404, None) if "op-1" in path else (200, [])), path
        by_time = path in ("/v1/mailings", "/v1/operations", "/v1/statistics/mailings", "/v1/tokens")
        for cursor in (*CURSORS, *(encode_cursor(time, "m") for time in TIMES if by_time)):
            answer = await actions.http.get(path, params={"cursor": cursor})
            assert answer.status_code == 422, (path, cursor, answer.text)
            assert answer.json()["title"].startswith("cursor: "), answer.text


async def test_health_and_metrics_need_no_token(actions: RunningService) -> None:
    actions.http.headers.pop("Authorization")
    for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json"):
        assert (await actions.http.get(path)).status_code == 200, path
