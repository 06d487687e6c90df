"""Guesses are slow, sessions end, and nobody gives what he does not have."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import HTTPException

from services.actions.users import attempts, domain, oidc
from services.actions.users.attempts import Hashing
from shared.http.auth import SCOPES
from tests.actions.users.test_users import PASSWORD, add, bearer, sign_in
from tests.support.harness import Harness, RunningService

pytestmark = pytest.mark.anyio
NEW = "a new long password"
FREE_TRIES_OF_ADDRESS = 9


async def change(actions: RunningService, token: str, old: str) -> int:
    body = {"password": NEW, "old_password": old}
    return (await actions.http.put("/v1/me", json=body, headers=bearer(token))).status_code


@pytest.fixture(autouse=True)
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the first wait outlast the test."""
    monkeypatch.setattr(domain, "FIRST_WAIT", timedelta(minutes=5))


@pytest.mark.services
async def test_guesses_at_once_are_counted_one_by_one(actions: RunningService) -> None:
    await add(actions, "kari")
    answers = await asyncio.gather(*(sign_in(actions, "kari", f"guess {n}") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [401] * domain.FREE_TRIES + [429] * 15
    assert (await sign_in(actions, "kari")).status_code == 429
    await actions.http.patch("/v1/users/kari", json={"password": NEW})  # by an administrator
    assert (await sign_in(actions, "kari", NEW)).status_code == 200
    failed = [row for row in (await actions.http.get("/v1/audit")).json()["items"] if row["what"] == "sign_in_failed"]
    assert {row["who"] for row in failed} == {"kari"}
    assert len(failed) == domain.FREE_TRIES


@pytest.mark.services
async def test_an_unknown_name_has_to_wait_as_well(
    harness: Harness, actions: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FREE_TRIES_OF_ADDRESS", FREE_TRIES_OF_ADDRESS)  # each guess is slow by design
    answers = [(await sign_in(actions, "nobody@example.com", "guess")).status_code for _ in range(7)]
    assert answers == [401] * domain.FREE_TRIES + [429] * 2
    (name, address) = await harness.fetch("actions", "SELECT * FROM sign_in_attempts ORDER BY failures DESC LIMIT 2")
    assert b"nobody" not in name["subject"] + address["subject"]
    for n in range(FREE_TRIES_OF_ADDRESS - domain.FREE_TRIES):
        await sign_in(actions, f"name-{n}", "guess")
    await add(actions, "kari")
    assert (await sign_in(actions, "kari")).status_code == 429  # the address has to wait, whoever it is
    elsewhere = {"X-Forwarded-For": "192.0.2.1, 127.0.0.1"}
    asked = {"name": "kari", "password": PASSWORD}
    assert (await actions.http.post("/v1/sign-in", json=asked, headers=elsewhere)).status_code == 200


@pytest.mark.services
async def test_a_new_password_ends_the_other_sessions(actions: RunningService) -> None:
    await add(actions, "kari")
    mine, other = [(await sign_in(actions, "kari")).json()["token"] for _ in range(2)]
    assert await change(actions, mine, PASSWORD) == 204
    renewals = [
        (await actions.http.post("/v1/sign-in/renewal", headers=bearer(one))).status_code for one in (mine, other)
    ]
    assert renewals == [200, 401]


@pytest.mark.services
async def test_the_old_password_is_guessed_as_slowly_as_any(actions: RunningService) -> None:
    await add(actions, "kari")
    token = (await sign_in(actions, "kari")).json()["token"]
    answers = await asyncio.gather(*(change(actions, token, f"guess {n}") for n in range(9)))
    assert sorted(answers) == [403] * domain.FREE_TRIES + [429] * 4
    assert await change(actions, token, PASSWORD) == 429


@pytest.mark.services
async def test_sessions_are_listed_and_ended_by_their_owner(actions: RunningService) -> None:
    await add(actions, "kari")
    await add(actions, "per")
    mine, other = [(await sign_in(actions, "kari")).json()["token"] for _ in range(2)]
    foreign = (await sign_in(actions, "per")).json()["token"]
    listed = (await actions.http.get("/v1/me/sessions", headers=bearer(mine))).json()
    assert [one["current"] for one in sorted(listed, key=lambda one: one["issued_at"])] == [True, False]
    (identity,) = [one["id"] for one in listed if not one["current"]]
    path = f"/v1/me/sessions/{identity}"
    assert (await actions.http.delete(path, headers=bearer(foreign))).status_code == 404
    assert (await actions.http.delete(path, headers=bearer(mine))).status_code == 204
    assert (await actions.http.get("/v1/me", headers=bearer(other))).status_code == 401
    assert (await actions.http.get("/v1/me", headers=bearer(mine))).status_code == 200


@pytest.mark.services
async def test_a_token_that_is_named_as_a_user_is_not_the_user(actions: RunningService) -> None:
    await add(actions, "kari")
    body = {"name": "kari", "scopes": ["read"]}
    token = (await actions.http.post("/v1/tokens", json=body)).json()["token"]
    assert await change(actions, token, PASSWORD) == 404
    assert (await actions.http.get("/v1/me", headers=bearer(token))).json()["role"] is None
    assert (await actions.http.get("/v1/me/sessions", headers=bearer(token))).status_code == 404


@pytest.mark.services
async def test_nobody_gives_what_he_does_not_have(harness: Harness, actions: RunningService) -> None:
    await add(actions, "kari", "administrator")
    await add(actions, "vera", "viewer")
    few = bearer(harness.token(scopes=("read", "check", "administer")))
    for role, status in (("administrator", 403), ("marketer", 403), ("viewer", 201)):
        body = {"name": f"new-{role}", "role": role, "password": PASSWORD}
        assert (await actions.http.post("/v1/users", json=body, headers=few)).status_code == status
    changes: list[tuple[str, dict[str, Any], int]] = [
        ("kari", {"password": NEW}, 403),
        ("vera", {"role": "marketer"}, 403),
        ("vera", {"password": NEW}, 204),
    ]
    for name, body, status in changes:
        assert (await actions.http.patch(f"/v1/users/{name}", json=body, headers=few)).status_code == status
    assert (await sign_in(actions, "kari")).status_code == 200
    whole = bearer(harness.token(scopes=SCOPES))
    assert (await actions.http.patch("/v1/users/vera", json={"role": "marketer"}, headers=whole)).status_code == 204


async def test_who_would_wait_long_for_a_hash_is_refused() -> None:
    hashing, going_on = Hashing(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work_out() -> bool:
        return asyncio.run_coroutine_threadsafe(going_on.wait(), loop).result()

    most = attempts.MAX_HASHES_AT_ONCE + attempts.MAX_WAITING
    tasks = [asyncio.create_task(hashing.run(work_out)) for _ in range(most + 5)]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    refused = [one.exception() for one in done]
    assert len(refused) == 5
    assert all(isinstance(one, HTTPException) and one.status_code == 503 for one in refused)
    going_on.set()
    assert all(await asyncio.gather(*waiting))


@pytest.mark.parametrize("verified", ["false", "true", "", 0, 1, None, False, [True], {}])
def test_an_address_counts_only_when_it_is_said_to_be_verified(verified: object) -> None:
    claims = {"email": "Kari@Example.com", "sub": "kari"}
    for told in (claims, claims | {"email_verified": verified}):
        with pytest.raises(oidc.InvalidIdToken):
            oidc.name_in(told, "email")
        assert oidc.name_in(told, "sub") == "kari"
    assert oidc.name_in(claims | {"email_verified": True}, "email") == "kari@example.com"


@pytest.mark.parametrize("name", ["\u212aari", "kar\u0131", "\uff4bari", "\u017fven", "kari\u2003", "ka\u0301ri"])
def test_letters_that_fold_to_ascii_are_nobodys_name(name: str) -> None:
    with pytest.raises(oidc.InvalidIdToken):
        oidc.name_in({"email": name, "email_verified": True}, "email")
    assert domain.folded(name) == name
    assert not domain.NAME.match(domain.folded(name))


def test_waits_are_those_of_the_name_or_of_the_address() -> None:
    now = datetime.now(UTC)
    assert domain.wait(5, now, now) > domain.wait(5, now, now, free=50) == domain.wait(0, None, now)
