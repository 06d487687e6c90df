"""Over the real service: from the request of a provider to the events in the queues, or to a clear refusal."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from returpost.amqp.publisher import Message
from returpost.contracts import ProviderPayloadProcess
from returpost.contracts.cloudevents import event
from returpost.contracts.routing import DEAD_LETTERS
from returpost.errors import InvalidSettings, Unavailable
from services.ingest.app import create
from services.ingest.settings import Settings
from services.ingest.webhooks.settings import PREFIX, load
from tests.ingest.probes import receive_events
from tests.ingest.webhooks import test_more_services as more, test_services as services, test_ses as ses
from tests.ingest.webhooks.builders import ANN, BOB
from tests.ingest.webhooks.test_certificates import ISSUER, Authority, between, leaf, root
from tests.ingest.webhooks.test_signatures import NOTICE, QUESTION, Signer, folder, mailgun_of, rsa, signed_by
from tests.support.harness import Harness, RunningService, eventually

__all__ = ["between", "folder", "root", "rsa"]
pytestmark = [pytest.mark.anyio, pytest.mark.services]

SECRET = "user:a-password-of-length"
NEXT = "user:the-next-password"
BASIC = {"Authorization": "Basic " + b64encode(SECRET.encode()).decode()}
NOBODY = {"Authorization": ""}
RECORDED, RECEIVED = "actions.delivery-recorded", "classifier.bounce-received"
TOPIC = NOTICE["TopicArn"]
SHARED = ("sendgrid", "postmark", "sparkpost", "mailjet", "brevo", "mandrill", "azure", "postal", "kumomta")


@pytest.fixture
async def ingest(harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[RunningService]:
    for provider in SHARED:
        monkeypatch.setenv(f"{PREFIX}{provider.upper()}_SECRETS", f"{SECRET},{NEXT},other=only-for-the-other-one")
    monkeypatch.setenv(f"{PREFIX}MAILGUN_SECRETS", "acme=a-signing-key-of-mailgun")
    monkeypatch.setenv(f"{PREFIX}SES_TOPICS", TOPIC)
    monkeypatch.setenv(f"{PREFIX}UNSIGNED_TENANTS", "sandbox")
    monkeypatch.setenv(f"{PREFIX}TOKENS_FILE", str(tmp_path / "tokens"))
    async with harness.running(create, Settings, "ingest") as running:
        yield running


async def post(
    ingest: RunningService, provider: str, body: Any, tenant: str = "acme", **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await ingest.http.post(f"/webhooks/{provider}/{tenant}", content=content, headers=NOBODY | headers)


def counted(provider: str, outcome: str) -> float:
    labels = {"provider": provider, "outcome": outcome}
    return REGISTRY.get_sample_value("returpost_webhook_events_total", labels) or 0.0


async def test_from_the_provider_to_the_queues_and_what_is_unknown_to_the_dead_letters(
    harness: Harness, ingest: RunningService
) -> None:
    before = [counted("sendgrid", outcome) for outcome in ("accepted", "ignored", "unknown", "broken")]
    strange = b'{"event" : "teleported"}'
    batch = [
        services.sendgrid("bounce", type="blocked", reason="550 5.1.1 no"),
        services.sendgrid("click"),
        services.sendgrid("delivered", email=BOB),
        services.sendgrid("delivered", email="nobody"),
        services.sendgrid("delivered", timestamp=4_000_000_000),
    ]
    body = json.dumps(batch).encode()[:-1] + b", " + strange + b"]"
    answer = await post(ingest, "sendgrid", body, **BASIC)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "ignored": 1, "kept": 3})
    recorded, (bounce,) = await harness.take_events(RECORDED), await harness.take_events(RECEIVED)
    assert [(e["data"]["address"], e["data"]["result"]) for e in recorded] == [(ANN, "bounced"), (BOB, "delivered")]
    assert bounce["data"]["evidence"]["format"] == "sendgrid"
    assert bounce["data"]["evidence"]["diagnostic"] == "550 5.1.1 no"
    assert bounce["data"]["evidence"]["provider_codes"] == ["bounce", "blocked"]
    letters = await harness.take(DEAD_LETTERS)
    assert {letter.body for letter in letters} == {json.dumps(event).encode() for event in batch[3:]} | {strange}
    assert {letter.headers["x-returpost-routing-key"] for letter in letters} == {"webhook.sendgrid.acme"}
    assert not any("nobody" in str(letter.headers) for letter in letters)
    after = [counted("sendgrid", outcome) for outcome in ("accepted", "ignored", "unknown", "broken")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 1, 1, 2]
    again = await post(ingest, "sendgrid", body, **BASIC)
    assert again.status_code == 200
    assert [e["id"] for e in await harness.take_events(RECORDED)] == [e["id"] for e in recorded]


async def test_a_secret_is_demanded_and_two_are_good(ingest: RunningService, subtests: pytest.Subtests) -> None:
    for provider in SHARED:
        with subtests.test(provider):
            await demands_a_secret(ingest, provider)


async def demands_a_secret(ingest: RunningService, provider: str) -> None:
    tables = more.TABLES | {
        "sendgrid": services.SENDGRID,
        "postmark": services.POSTMARK,
        "sparkpost": services.SPARKPOST,
    }
    body: Any = tables[provider][0][0] if provider in tables else b"mandrill_events=%5B%5D"
    for headers in (BASIC, {"Authorization": f"Bearer {NEXT}"}, {"X-Webhook-Secret": SECRET}):
        assert (await post(ingest, provider, body, **headers)).status_code == 200
    missing = await post(ingest, provider, body)
    assert (missing.status_code, missing.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert (await post(ingest, provider, body, **{"X-Webhook-Secret": SECRET + "x"})).status_code == 401
    others = {"X-Webhook-Secret": "only-for-the-other-one"}
    assert (await post(ingest, provider, body, **others)).status_code == 401
    assert (await post(ingest, provider, body, tenant="other", **others)).status_code == 200


async def test_unsigned_is_for_a_tenant_that_allows_it_where_no_secret_is_set(ingest: RunningService) -> None:
    body = more.resend("sent")
    assert (await post(ingest, "resend", body, tenant="sandbox")).status_code == 200
    assert (await post(ingest, "resend", body)).status_code == 403
    assert (await post(ingest, "postmark", services.returned("HardBounce", 1), tenant="sandbox")).status_code == 401
    assert (await post(ingest, "mailgun", services.mailgun("accepted"), tenant="elsewhere")).status_code == 406
    assert (await post(ingest, "nobody", body)).status_code == 404
    assert (await post(ingest, "resend", body, tenant="No.Name")).status_code == 422


def of_mailgun(token: str) -> dict[str, Any]:
    timestamp = str(int(datetime.now(UTC).timestamp()))
    return services.mailgun("accepted") | {"signature": mailgun_of("a-signing-key-of-mailgun", timestamp, token)}


async def test_mailgun_is_told_to_stop_when_it_repeats_what_was_taken(ingest: RunningService) -> None:
    body = of_mailgun("one")
    assert (await post(ingest, "mailgun", body)).status_code == 200
    assert (await post(ingest, "mailgun", body)).status_code == 406
    assert (await post(ingest, "mailgun", of_mailgun("two") | {"signature": {}})).status_code == 401


async def test_a_token_is_used_once_by_all_processes_that_share_a_file(
    harness: Harness, ingest: RunningService
) -> None:
    forged = of_mailgun("shared")
    forged["event-data"]["recipient"] = "somebody-else@example.com"  # the signature does not cover it
    async with harness.running(create, Settings, "ingest") as other:
        answers = await asyncio.gather(*(post(one, "mailgun", of_mailgun("shared")) for one in (ingest, other)))
        first, second = sorted(answer.status_code for answer in answers)
        assert first == 200
        assert second in (401, 406)  # still in use, or used
        for one in (ingest, other):
            assert (await post(one, "mailgun", forged)).status_code == 406


class Silent:
    """A publisher that RabbitMQ never confirms to."""

    async def publish(self, messages: list[Message]) -> list[Message]:
        raise Unavailable("RabbitMQ did not confirm: TimeoutError")


async def test_without_a_confirm_the_provider_is_told_to_try_again_and_may(ingest: RunningService) -> None:
    body, publisher = of_mailgun("three"), ingest.service.uow_factory._publisher  # type: ignore[attr-defined]
    ingest.service.uow_factory._publisher = Silent()  # type: ignore[attr-defined]
    answer = await post(ingest, "mailgun", body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    ingest.service.uow_factory._publisher = publisher  # type: ignore[attr-defined]
    assert (await post(ingest, "mailgun", body)).status_code == 200


async def test_of_a_crowd_the_bodies_are_confirmed_and_read_when_there_is_time(
    harness: Harness, ingest: RunningService
) -> None:
    bodies = [[services.sendgrid("delivered", email=f"u{n}-{m}@example.com") for m in range(10)] for n in range(60)]
    answers = await asyncio.gather(*(post(ingest, "sendgrid", body, **BASIC) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    told = [answer.json() for answer in answers]
    assert {"accepted": 10, "ignored": 0, "kept": 0} in told
    assert {"received": True} in told
    recorded = await receive_events(harness, RECORDED, 600)
    expected = {f"u{n}-{m}@example.com" for n in range(60) for m in range(10)}
    assert {event["data"]["address"] for event in recorded} == expected
    assert len({event["id"] for event in recorded}) == 600


async def arrived(harness: Harness, queue: str, number: int) -> list[Any]:
    found: list[Any] = []

    async def look() -> int:
        found.extend(await harness.take(queue))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    return found


@pytest.mark.parametrize("changes", [{"body": "not base64!"}, {"provider": "nobody"}])
async def test_what_was_put_off_by_nobody_is_a_dead_letter(
    harness: Harness, ingest: RunningService, changes: dict[str, Any]
) -> None:
    data = ProviderPayloadProcess(**({"provider": "sendgrid", "body": "W10="} | changes))
    await harness.command(event(data, id="1", source="/x", tenant="acme"))
    (letter,) = await arrived(harness, DEAD_LETTERS, 1)
    assert letter.headers["x-returpost-queue"] == "ingest.provider-payload-process"


async def test_a_plain_request_is_answered_as_any_other(ingest: RunningService) -> None:
    """What goes straight to its reader, and the same with an empty query, which goes through the framework."""
    body = of_mailgun("plain")
    for number, provider in enumerate(("mailgun", "nobody", "postmark")):
        del ingest.http.headers["Authorization"]
        answers = [
            await ingest.http.post(f"/webhooks/{provider}/acme", content=json.dumps(body | {"number": number})),
            await ingest.http.post(f"/webhooks/{provider}/acme?x=1", content=json.dumps(body | {"number": number})),
        ]
        ingest.http.headers["Authorization"] = ""
        first, second = answers
        if provider == "mailgun":  # its token can be used once
            assert (first.status_code, second.status_code) == (200, 406)
            continue
        assert first.status_code == second.status_code in (401, 404)
        assert first.json() == second.json()
        assert first.headers.get("WWW-Authenticate") == second.headers.get("WWW-Authenticate")
        assert first.headers["content-type"] == "application/problem+json"


async def test_sns_is_believed_by_its_certificate_and_confirmed(
    harness: Harness, ingest: RunningService, rsa: Signer, root: Authority, between: Authority
) -> None:
    fetched: list[str] = []
    pem = between.issue("of-sns", leaf("sns.amazonaws.com"), key=rsa.private).pem

    async def amazon(url: str) -> bytes:
        fetched.append(url)
        return between.der if url == ISSUER else pem

    state = ingest.service.app.state
    settings = state.webhooks.settings.model_copy(update={"ses_roots": str(root.path)})
    state.webhooks = replace(state.webhooks, fetch=amazon, settings=settings)
    host = "https://sns.eu-west-1.amazonaws.com/"
    now = datetime.now(UTC)

    def signed(envelope: dict[str, str]) -> dict[str, str]:
        return signed_by(rsa, envelope, "2", now) | {"SigningCertURL": f"{host}a.pem"}

    notice = NOTICE | {"Message": json.dumps(ses.bounce("Permanent", "General"))}
    assert (await post(ingest, "ses", signed(notice))).json() == {"accepted": 1, "ignored": 0, "kept": 0}
    assert len(await harness.take_events(RECEIVED)) == 1
    question = QUESTION | {"SubscribeURL": f"{host}?Action=ConfirmSubscription"}
    assert (await post(ingest, "ses", signed(question))).json() == {"confirmed": True}
    assert fetched == [f"{host}a.pem", ISSUER, f"{host}?Action=ConfirmSubscription"]
    for wrong, status in (
        (signed(notice) | {"Message": "{}"}, 401),
        (signed(notice | {"TopicArn": TOPIC + "x"}), 403),
        (signed(notice) | {"SigningCertURL": "https://example.com/a.pem"}, 403),
        (signed(question | {"SubscribeURL": "https://example.com/"}), 403),
        (ses.bounce("Permanent", "General"), 401),
    ):
        assert (await post(ingest, "ses", wrong)).status_code == status
    assert len(fetched) == 3


async def test_the_handshakes_of_event_grid(ingest: RunningService) -> None:
    asked = [
        {"id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "c"}}
    ]
    answer = await ingest.http.post(f"/webhooks/azure/acme?secret={SECRET}", json=asked, headers=NOBODY)
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "c"})
    assert (await post(ingest, "azure", asked)).status_code == 401
    origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    url = "/webhooks/azure/acme"
    allowed = await ingest.http.options(url, headers=origin | BASIC)
    assert allowed.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert (await ingest.http.options(url, headers=origin | NOBODY)).status_code == 401
    assert (await ingest.http.options("/webhooks/ses/acme", headers=origin)).status_code == 405
    assert (await ingest.http.head("/webhooks/mandrill/acme")).status_code == 200
    assert (await ingest.http.head("/webhooks/nobody/acme")).status_code == 404


def test_settings_come_from_files_and_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "returpost_ingest_webhook_resend_secrets").write_text(
        "acme=whsec_bm90IHRoaXMgb25l,whsec_c29tZXRoaW5n=="
    )
    monkeypatch.setenv("RETURPOST_SECRETS_DIR", str(tmp_path))
    assert load().secrets_for("resend", "acme") == ["whsec_bm90IHRoaXMgb25l", "whsec_c29tZXRoaW5n=="]
    assert load().secrets_for("resend", "other") == ["whsec_c29tZXRoaW5n=="]
    monkeypatch.setenv(f"{PREFIX}POSTAL_SECRETS", "short")
    with pytest.raises(InvalidSettings, match=f"{PREFIX}POSTAL_SECRETS: each secret has at least 16 characters"):
        load()
    monkeypatch.setenv("RETURPOST_SECRETS_DIR", str(tmp_path / "none"))
    with pytest.raises(InvalidSettings, match="not a folder"):
        load()
