"""The second factor: set up, asked for, taken once, lost and reset."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyotp
import pytest

from services.actions.users import domain as users
from services.actions.users.second_factor import domain
from services.actions.users.second_factor.domain import Vault
from tests.actions.users.test_users import PASSWORD, add, bearer, sign_in
from tests.support.harness import Harness, RunningService

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STEP = int(NOW.timestamp()) // 30
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""RFC 6238 appendix B: the ASCII string 12345678901234567890."""


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert domain.step_of(SECRET, code, at, 0) == seconds // 30
    assert domain.step_of(SECRET, "000000", at, 0) is None


@pytest.mark.parametrize(("off", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off(off: int, taken: bool) -> None:
    code = pyotp.TOTP(SECRET).generate_otp(STEP + off)
    assert (domain.step_of(SECRET, code, NOW, 0) is not None) == taken


def test_no_code_is_right_twice_nor_one_before_it() -> None:
    for near in (STEP - 1, STEP):
        code = pyotp.TOTP(SECRET).generate_otp(near)
        assert domain.step_of(SECRET, code, NOW, STEP) is None


def test_what_a_vault_keeps_is_read_by_any_key_for_its_purpose_alone() -> None:
    kept = Vault(["old key"], "secret").encrypt(SECRET)
    assert SECRET.encode() not in kept
    assert Vault(["new key", "old key"], "secret").decrypt(kept) == SECRET
    assert Vault(["old key"], "challenge").decrypt(kept) is None
    assert Vault(["new key"], "secret").decrypt(kept) is None
    assert Vault(["old key"], "secret").decrypt(kept, seconds=-1) is None


def test_recovery_codes_are_known_however_they_are_written() -> None:
    codes = domain.recovery_codes()
    assert len(set(codes)) == domain.RECOVERY_CODES
    written = f" {codes[0].upper().replace('-', ' ')} "
    assert domain.recovery_hash("kari", written) == domain.recovery_hash("kari", codes[0])
    assert domain.recovery_hash("ola", codes[0]) != domain.recovery_hash("kari", codes[0])
    assert not any(domain.is_code_of_app(domain.plain(code)) for code in codes)


async def enrol(actions: RunningService, token: str) -> tuple[str, list[str]]:
    """Set a second factor up; return its secret and the recovery codes."""
    mine = bearer(token)
    assert (await actions.http.post("/v1/me/second-factor", json={"password": "x"}, headers=mine)).status_code == 403
    begun = (await actions.http.post("/v1/me/second-factor", json={"password": PASSWORD}, headers=mine)).json()
    assert begun["uri"].startswith("otpauth://totp/Returpost:kari?secret=" + begun["secret"])
    assert (await sign_in(actions, "kari")).status_code == 200  # not asked for before it is confirmed
    confirmed = await actions.http.post(
        "/v1/me/second-factor/confirm", json={"code": pyotp.TOTP(begun["secret"]).now()}, headers=mine
    )
    assert confirmed.status_code == 200, confirmed.text
    return begun["secret"], confirmed.json()["recovery_codes"]


async def offer(actions: RunningService, challenge: str, code: str) -> httpx.Response:
    return await actions.http.post("/v1/sign-in/code", json={"challenge": challenge, "code": code})


async def challenge(actions: RunningService) -> str:
    answer = await sign_in(actions, "kari")
    assert (answer.status_code, set(answer.json())) == (202, {"challenge"})
    return str(answer.json()["challenge"])


@pytest.mark.anyio
@pytest.mark.services
async def test_second_factor_is_asked_for_taken_once_and_reset(
    harness: Harness, actions: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "FIRST_WAIT", timedelta(minutes=5))
    await add(actions, "kari")
    token, other = [(await sign_in(actions, "kari")).json()["token"] for _ in range(2)]
    secret, codes = await enrol(actions, token)
    renewed = await actions.http.post("/v1/sign-in/renewal", headers=bearer(other))
    assert renewed.status_code == 401  # the other session has ended

    asked = await challenge(actions)
    used = pyotp.TOTP(secret).now()  # by the confirmation
    following = pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30))
    assert (await offer(actions, asked, used)).status_code == 401
    answers = await asyncio.gather(*(offer(actions, asked, following) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401]
    assert (await offer(actions, asked, codes[0])).status_code == 200
    assert (await offer(actions, asked, codes[0])).status_code == 401
    for forged in ("", "x" * 100, asked[:-4] + "AAAA", "å"):
        assert (await offer(actions, forged, codes[1])).status_code == 401
    state = (await actions.http.get("/v1/me/second-factor", headers=bearer(token))).json()
    assert (state["enabled"], state["recovery_codes"]) == (True, 9)
    (user,) = [one for one in (await actions.http.get("/v1/users")).json()["items"] if one["name"] == "kari"]
    assert user["has_second_factor"]

    rows: list[Any] = await harness.fetch("actions", "SELECT * FROM second_factors, recovery_codes")
    assert secret not in str([dict(row) for row in rows])
    assert not any(domain.plain(code) in str([dict(row) for row in rows]) for code in codes)

    # A right password in between gives no more guesses of the code.
    guesses = []
    for _ in range(users.FREE_TRIES + 1):
        answer = await sign_in(actions, "kari")
        guesses.append(answer.status_code)
        if answer.status_code == 202:
            guesses.append((await offer(actions, answer.json()["challenge"], "000000")).status_code)
    assert guesses[-1] == 429
    assert (await offer(actions, asked, codes[1])).status_code == 429  # the right one as well

    assert (await actions.http.delete("/v1/users/kari/second-factor")).status_code == 204
    assert (await actions.http.delete("/v1/users/kari/second-factor")).status_code == 404
    assert (await sign_in(actions, "kari")).status_code == 200
    audit = [row["what"] for row in (await actions.http.get("/v1/audit")).json()["items"]]
    assert {"second_factor_set", "second_factor_failed", "second_factor_reset"} <= set(audit)


@pytest.mark.anyio
@pytest.mark.services
async def test_second_factor_is_removed_with_password_and_code_alone(actions: RunningService) -> None:
    await add(actions, "kari")
    token = (await sign_in(actions, "kari")).json()["token"]
    _, codes = await enrol(actions, token)
    again = await actions.http.post("/v1/me/second-factor", json={"password": PASSWORD}, headers=bearer(token))
    assert again.status_code == 409
    path, mine = "/v1/me/second-factor/remove", bearer(token)
    for password, code, status in ((PASSWORD, "000000", 403), ("wrong", codes[0], 403), (PASSWORD, codes[0], 204)):
        answer = await actions.http.post(path, json={"password": password, "code": code}, headers=mine)
        assert answer.status_code == status
    assert (await sign_in(actions, "kari")).status_code == 200
