"""What can be refused by its head is refused before its body is read."""

import pytest
from fastapi import FastAPI, HTTPException, Request as HttpRequest

from returpost.bounces.providers import PROVIDERS
from returpost.bounces.providers.authentication import BodyHmac, SharedSecret, SnsSignature, StandardWebhooks
from services.ingest.webhooks.http import Webhooks, receive_payload
from services.ingest.webhooks.settings import load

pytestmark = pytest.mark.anyio
IN_THE_HEAD = (BodyHmac, SharedSecret, SnsSignature, StandardWebhooks)


@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_without_a_proof_in_the_head_the_body_is_not_read(
    provider: str, configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if configured:
        monkeypatch.setenv(f"RETURPOST_INGEST_WEBHOOK_{provider.upper().replace('-', '_')}_SECRETS", "x" * 32)
    app, read = FastAPI(), []
    app.state.webhooks = Webhooks(load())
    app.state.service = None

    async def receive() -> dict[str, object]:
        read.append(1)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    scope = {
        "type": "http", "method": "POST", "path": f"/webhooks/{provider}/acme", "query_string": b"", "headers": [],
        "app": app,
    }  # fmt: skip
    with pytest.raises(HTTPException) as refused:
        await receive_payload(HttpRequest(scope, receive), provider, "acme")
    assert refused.value.status_code in (401, 403, 406)
    scheme = PROVIDERS[provider].authentication
    assert bool(read) == (configured and not isinstance(scheme, IN_THE_HEAD))
