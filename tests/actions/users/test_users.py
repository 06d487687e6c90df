"""Users sign in, sessions end, administrators see to both."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies as st

from returpost.contracts.routing import EVENTS
from returpost.errors import InvalidMessage
from services.actions.app import create
from services.actions.settings import Settings
from services.actions.users import domain
from services.blocklist import app as blocklist, settings as blocklist_settings
from shared.http.auth import verify
from tests.support.harness import TENANT, TOKEN_KEY, Harness, RunningService, eventually

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse battery"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


async def add(actions: RunningService, name: str, role: str = "marketer", **more: Any) -> httpx.Response:
    return await actions.http.post("/v1/users", json={"name": name, "role": role, "password": PASSWORD} | more)


async def sign_in(actions: RunningService, name: str, password: str = PASSWORD) -> httpx.Response:
    return await actions.http.post("/v1/sign-in", json={"name": name, "password": password})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.services
async def test_a_user_signs_in_with_the_rights_of_the_role(actions: RunningService) -> None:
    assert (await add(actions, "Kari@Example.com")).status_code == 201
    answer = await sign_in(actions, " kari@example.com ")
    assert answer.status_code == 200
    told = answer.json()
    caller = verify(told["token"], [TOKEN_KEY])
    assert caller is not None
    assert (caller.tenant, caller.name) == (TENANT, "kari@example.com")
    assert caller.scopes == {"read", "check", "write"}
    me = (await actions.http.get("/v1/me", headers=bearer(told["token"]))).json()
    assert (me["name"], me["role"], me["home"]) == ("kari@example.com", "marketer", TENANT)


@pytest.mark.services
async def test_a_wrong_password_and_an_unknown_name_look_the_same(actions: RunningService) -> None:
    await add(actions, "kari")
    wrong, unknown = await sign_in(actions, "kari", "another"), await sign_in(actions, "nobody")
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text) == (401, wrong.text)


@pytest.mark.services
async def test_a_guesser_has_to_wait_and_the_right_password_as_well(actions: RunningService) -> None:
    await add(actions, "kari")
    answers = [(await sign_in(actions, "kari", "guess")).status_code for _ in range(domain.FREE_TRIES)]
    assert answers == [401] * domain.FREE_TRIES
    answer = await sign_in(actions, "kari")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 6


@pytest.mark.services
async def test_a_session_is_renewed_until_it_is_ended(actions: RunningService) -> None:
    await add(actions, "kari", "viewer")
    token = (await sign_in(actions, "kari")).json()["token"]
    await actions.http.patch("/v1/users/kari", json={"role": "viewer"})  # ends what is open
    assert (await actions.http.post("/v1/sign-in/renewal", headers=bearer(token))).status_code == 401
    token = (await sign_in(actions, "kari")).json()["token"]
    renewed = await actions.http.post("/v1/sign-in/renewal", headers=bearer(token))
    assert renewed.json()["scopes"] == ["read", "check"]
    assert (await actions.http.post("/v1/sign-out", headers=bearer(renewed.json()["token"]))).status_code == 204
    assert (await actions.http.post("/v1/sign-in/renewal", headers=bearer(token))).status_code == 401


@pytest.mark.services
async def test_who_is_shut_out_does_not_come_in(actions: RunningService) -> None:
    await add(actions, "kari")
    assert (await actions.http.patch("/v1/users/kari", json={"disabled": True})).status_code == 204
    assert (await sign_in(actions, "kari")).status_code == 401
    await actions.http.patch("/v1/users/kari", json={"disabled": False, "password": "another long password"})
    assert (await sign_in(actions, "kari", "another long password")).status_code == 200
    assert (await actions.http.delete("/v1/users/kari")).status_code == 204
    assert (await actions.http.get("/v1/users")).json()["items"] == []


@pytest.mark.services
async def test_administrators_see_the_users_of_their_tenant_alone(harness: Harness, actions: RunningService) -> None:
    await add(actions, "kari")
    assert (await add(actions, "kari")).status_code == 409
    other = bearer(harness.token(tenant="other"))
    assert (await actions.http.get("/v1/users", headers=other)).json()["items"] == []
    for method, body in (("PATCH", {"disabled": True}), ("DELETE", None)):
        assert (await actions.http.request(method, "/v1/users/kari", json=body, headers=other)).status_code == 404
    assert (await sign_in(actions, "kari")).status_code == 200
    everybody = bearer(harness.token(tenant="*"))
    assert [user["name"] for user in (await actions.http.get("/v1/users", headers=everybody)).json()["items"]] == [
        "kari"
    ]


@pytest.mark.services
async def test_own_language_and_password_are_changed_with_the_old_password(actions: RunningService) -> None:
    await add(actions, "kari", language="nb")
    told = (await sign_in(actions, "kari")).json()
    assert told["language"] == "nb"
    mine = bearer(told["token"])
    change = {"password": "a new long password", "old_password": "wrong"}
    assert (await actions.http.put("/v1/me", json=change, headers=mine)).status_code == 403
    change |= {"old_password": PASSWORD, "language": "en"}
    assert (await actions.http.put("/v1/me", json=change, headers=mine)).status_code == 204
    assert (await sign_in(actions, "kari", "a new long password")).json()["language"] == "en"


@pytest.mark.services
async def test_tokens_are_issued_listed_and_revoked(harness: Harness, actions: RunningService) -> None:
    body = {"name": "newsletter", "scopes": ["send"], "days": 30}
    issued = (await actions.http.post("/v1/tokens", json=body)).json()
    caller = verify(issued["token"], [TOKEN_KEY])
    assert caller is not None
    assert (caller.name, caller.tenant, caller.token) == ("newsletter", TENANT, issued["id"])
    assert caller.scopes == {"send"}
    listed = (await actions.http.get("/v1/tokens")).json()["items"]
    assert [(row["id"], row["kind"], row["scopes"]) for row in listed] == [(issued["id"], "token", ["send"])]
    assert issued["token"] not in str(listed)
    other = bearer(harness.token(tenant="other"))
    assert (await actions.http.delete(f"/v1/tokens/{issued['id']}", headers=other)).status_code == 404
    assert (await actions.http.delete(f"/v1/tokens/{issued['id']}")).status_code == 204
    assert (await actions.http.get("/v1/tokens")).json()["items"] == []
    few = bearer(harness.token(scopes=("read", "administer")))
    assert (await actions.http.post("/v1/tokens", json=body, headers=few)).status_code == 403


@pytest.mark.services
async def test_what_is_revoked_is_refused_by_every_service_and_by_one_that_starts_later(
    harness: Harness, actions: RunningService
) -> None:
    body = {"name": "newsletter", "scopes": ["read", "check"], "days": 30}
    issued = [(await actions.http.post("/v1/tokens", json=body)).json() for _ in range(2)]
    revoked, good = (bearer(one["token"]) for one in issued)
    await add(actions, "kari")
    session = bearer((await sign_in(actions, "kari")).json()["token"])

    async def statuses(running: RunningService) -> list[int]:
        asked = {"addresses": ["a@example.com"]}
        return [
            (await running.http.post("/v1/check", json=asked, headers=headers)).status_code
            for headers in (revoked, session, good)
        ]

    async with harness.running(blocklist.create, blocklist_settings.Settings, "blocklist") as running:
        assert await statuses(running) == [200, 200, 200]
        assert (await actions.http.delete(f"/v1/tokens/{issued[0]['id']}")).status_code == 204
        assert (await actions.http.get("/v1/contacts", headers=revoked)).status_code == 401
        assert (await actions.http.patch("/v1/users/kari", json={"disabled": True})).status_code == 204
        await eventually(lambda: statuses(running), lambda seen: seen == [401, 401, 200])
        health = (await running.http.get("/health/ready")).json()
        assert health["tokens"] == {"revoked": 2, "consuming": True}
    async with harness.running(blocklist.create, blocklist_settings.Settings, "blocklist") as running:
        await eventually(lambda: statuses(running), lambda seen: seen == [401, 401, 200])


@pytest.mark.services
async def test_what_is_revoked_is_told_again_to_a_broker_that_was_set_up_anew(
    harness: Harness, actions: RunningService
) -> None:
    issued = (await actions.http.post("/v1/tokens", json={"name": "news", "scopes": ["read"]})).json()
    assert (await actions.http.delete(f"/v1/tokens/{issued['id']}")).status_code == 204
    queue = await harness.channel.declare_queue(exclusive=True)
    await queue.bind(EVENTS, "token.revoked.*")
    async with harness.running(create, Settings, "actions"):
        told = await eventually(lambda: harness.take_events(queue.name))
    assert [(event["data"]["token"], event["tenant"]) for event in told] == [(issued["id"], TENANT)]


@pytest.mark.parametrize("name", ["", " ", "-kari", "ka ri", "kåri", "x" * 101, "<b>"])
def test_names_that_nobody_has(name: str) -> None:
    with pytest.raises(InvalidMessage):
        domain.name_of(name)


@given(st.integers(0, 100), st.integers(0, 100))
def test_the_wait_never_shrinks_with_failures_and_has_an_end(failures: int, more: int) -> None:
    one = domain.wait(failures, NOW, NOW)
    other = domain.wait(failures + more, NOW, NOW)
    assert timedelta(0) <= one <= other <= domain.LONGEST_WAIT
    assert domain.wait(failures, NOW, NOW + domain.LONGEST_WAIT) == timedelta(0)


def test_a_short_password_is_refused_and_none_never_fits() -> None:
    with pytest.raises(InvalidMessage):
        domain.hashed("short")
    assert not domain.is_right("nobody has this password", None)
    assert domain.is_right(PASSWORD, domain.hashed(PASSWORD))
