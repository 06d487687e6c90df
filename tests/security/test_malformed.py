"""Whatever is sent to any route of any service is answered, and never with an error of the server."""

import asyncio
import os
from collections import Counter
from importlib import import_module

import httpx
import pytest

from returpost.contracts.routing import SERVICES
from shared.http.auth import ALL_TENANTS
from shared.http.problems import PROBLEM
from tests.security.malformed import Malformed, malformed
from tests.support.harness import TENANT, Harness

pytestmark = [pytest.mark.anyio, pytest.mark.services]

NUMBER = int(os.environ.get("RETURPOST_FUZZ_REQUESTS", "12"))
"""Requests to each operation; `make fuzz` makes more."""
SEED = int(os.environ.get("RETURPOST_FUZZ_SEED", "0"))
PATIENCE = 20.0

PAGES = ("/u/{token}",)
"""What people open: they are answered by a page."""


async def status_of(http: httpx.AsyncClient, one: Malformed, token: str) -> tuple[int | str, str]:
    """Return the status, or what happened in its place, and what is wrong with the answer."""
    headers = [(name.encode(), value) for name, value in one.headers.items()]
    headers.append((b"Authorization", f"Bearer {token}".encode()))
    url = http.base_url.copy_with(raw_path=one.target.encode())
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await http.request(one.method, url, headers=headers, content=one.body)
    except Exception as error:  # noqa: BLE001 - whatever it is, the connection would be gone
        return "dropped", type(error).__name__
    if answer.status_code >= 500:
        return answer.status_code, answer.text[:300]
    if answer.status_code >= 400 and answer.headers.get("content-type") != PROBLEM and one.template not in PAGES:
        return answer.status_code, f"is no problem: {answer.text[:300]}"
    return answer.status_code, ""


@pytest.mark.parametrize("service", SERVICES)
async def test_no_malformed_request_is_an_error_of_the_server(harness: Harness, service: str) -> None:
    app, kind = import_module(f"services.{service}.app"), import_module(f"services.{service}.settings").Settings
    tokens = [harness.token(tenant=ALL_TENANTS)] + ([] if service == "replay" else [harness.token(tenant=TENANT)])
    statuses, wrong = Counter[int | str](), dict[str, str]()
    async with harness.running(app.create, kind, service, http_rate=0) as running:
        transport = httpx.ASGITransport(app=running.service.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            for n, one in enumerate(malformed(running.service.app.openapi(), NUMBER, SEED)):
                status, problem = await status_of(http, one, tokens[n % len(tokens)])
                statuses[status] += 1
                if problem:
                    wrong[f"{one.method} {one.template} {status}"] = f"{problem} {one.target[:300]} {one.body[:300]!r}"
    print(service, sum(statuses.values()), dict(statuses))  # noqa: T201 - pytest shows it when the test fails
    assert wrong == {}, "\n".join(f"{place}: {what}" for place, what in wrong.items())
