"""Signing in at an OpenID Connect provider that runs here: what proves who somebody is, and what does not."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from services.actions.users.oidc import AuthorizationRequest, InvalidIdToken, Provider, ProviderUnavailable, name_in
from tests.support.openid import CLIENT, SECRET, OpenIdProvider, new_key, openid_provider

pytestmark = pytest.mark.anyio
BACK = "http://console.example/sign-in/provider/callback"


@pytest.fixture(scope="module")
def running() -> Iterator[OpenIdProvider]:
    with openid_provider() as provider:
        yield provider


@pytest.fixture
def there(running: OpenIdProvider) -> OpenIdProvider:
    running.says, running.signs_with = {}, running.key
    return running


async def code_for(begun: AuthorizationRequest) -> str:
    """Go to the provider as a browser does, and return the code that it sends back."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(begun.url)
    back = httpx.URL(answer.headers["location"])
    assert back.params["state"] == begun.state
    return back.params["code"]


async def signed_in(provider: Provider) -> Mapping[str, Any]:
    begun = await provider.begin(BACK)
    return await provider.finish(await code_for(begun), BACK, begun.nonce, begun.verifier)


async def test_who_has_proved_it_there_is_known_by_the_claim(there: OpenIdProvider) -> None:
    claims = await signed_in(Provider(there.url, CLIENT, SECRET))
    assert name_in(claims, "email") == "kari@firma.example"


@pytest.mark.parametrize(
    "says",
    [
        {"aud": "another client"}, {"iss": "https://evil.example"}, {"nonce": "another question"}, {"nonce": None},
        {"exp": int(time.time()) - 3600}, {"aud": [CLIENT, "another client"], "azp": "another client"},
    ],
)  # fmt: skip
async def test_a_token_that_is_not_for_this_question_proves_nothing(
    there: OpenIdProvider, says: dict[str, Any]
) -> None:
    there.says = says
    with pytest.raises(InvalidIdToken):
        await signed_in(Provider(there.url, CLIENT, SECRET))


async def test_a_code_needs_its_verifier_and_serves_once(there: OpenIdProvider) -> None:
    provider = Provider(there.url, CLIENT, SECRET)
    begun = await provider.begin(BACK)
    with pytest.raises(InvalidIdToken):
        await provider.finish(await code_for(begun), BACK, begun.nonce, "another verifier")
    code = await code_for(begun)
    await provider.finish(code, BACK, begun.nonce, begun.verifier)
    with pytest.raises(InvalidIdToken):
        await provider.finish(code, BACK, begun.nonce, begun.verifier)


async def test_a_token_of_another_key_proves_nothing(there: OpenIdProvider) -> None:
    there.signs_with = new_key()
    with pytest.raises(InvalidIdToken):
        await signed_in(Provider(there.url, CLIENT, SECRET))


async def test_a_provider_that_is_away_or_another_is_said_so(there: OpenIdProvider) -> None:
    for issuer in ("http://127.0.0.1:1", f"{there.url}/elsewhere"):
        with pytest.raises(ProviderUnavailable):
            await Provider(issuer, CLIENT, SECRET).begin(BACK)


@pytest.mark.parametrize("claims", [{}, {"email": ""}, {"email": "a@b.example", "email_verified": False}])
def test_without_a_name_nobody_is_known(claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdToken):
        name_in(claims, "email")
