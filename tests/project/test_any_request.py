"""Whatever is asked of a service by its OpenAPI document, and whatever comes close to it, has a documented answer.

schemathesis makes the requests, the same ones each time: such as the document allows, and such as it does not.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from returpost.contracts.routing import SERVICES
from shared.http.auth import ALL_TENANTS
from shared.http.problems import PROBLEM
from tests.support.harness import TENANT, Harness

pytestmark = [pytest.mark.anyio, pytest.mark.services]

NUMBER = {GenerationMode.POSITIVE: 4, GenerationMode.NEGATIVE: 2}
"""Requests to each operation."""
NOT_OURS = {"authorization", "host", "content-length"}
"""Headers that are the caller's own, or the connection's."""


def requests_of(document: dict[str, Any]) -> Iterator[Case[Any]]:
    """Yield requests to each operation of an OpenAPI document."""
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok)
        for mode, number in NUMBER.items():
            try:
                yield from drawn(found.ok().as_strategy(generation_mode=mode), number)
            except Unsatisfiable:  # nothing can be wrong with a request that has no parts
                continue


PAGES = ("/u/{token}",)
"""What people open: they are answered by a page."""


def drawn(strategy: SearchStrategy[Case[Any]], number: int) -> list[Case[Any]]:
    """Return requests, the same ones each time."""
    made: list[Case[Any]] = []

    @settings(
        max_examples=number, database=None, derandomize=True, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def keep(case: Case[Any]) -> None:
        made.append(case)

    keep()
    return made


async def answer_to(case: Case[Any], http: httpx.AsyncClient, token: str) -> httpx.Response:
    asked = case.as_transport_kwargs(base_url=str(http.base_url))
    headers = {name: value for name, value in asked.pop("headers").items() if name.lower() not in NOT_OURS}
    headers["Authorization"] = f"Bearer {token}"
    asked["content"] = asked.pop("data", None)
    asked.pop("cookies")
    if asked["content"] is None:
        del asked["content"]
    return await http.request(**asked, headers=headers)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_answer_is_one_that_is_documented(harness: Harness, service: str) -> None:
    app, kind = import_module(f"services.{service}.app"), import_module(f"services.{service}.settings").Settings
    token = harness.token(tenant=ALL_TENANTS if service == "replay" else TENANT)
    problems: dict[str, str] = {}
    seen = 0
    async with harness.running(app.create, kind, service) as running:
        for case in requests_of(running.service.app.openapi()):
            answer = await answer_to(case, running.http, token)
            seen += 1
            documented = case.operation.definition.raw["responses"]
            place = f"{case.method} {case.path} {answer.status_code}"
            if answer.status_code >= 500 or str(answer.status_code) not in documented:
                problems[place] = f"{answer.text[:300]} {case.as_curl_command()[:600]}"
            elif answer.status_code >= 400 and answer.headers["content-type"] != PROBLEM and case.path not in PAGES:
                problems[place] = f"is no problem: {answer.text[:300]}"
    assert seen > 20
    assert problems == {}, "\n".join(f"{place}: {what}" for place, what in problems.items())
