"""The new address of a correction: checked before anything is frozen."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from services.actions.app import create
from services.actions.settings import Settings
from services.ingest.app import create as create_ingest
from services.ingest.settings import Settings as IngestSettings
from tests.actions.builders import address
from tests.actions.operations.operations_api import selected
from tests.ingest.validation.name_server import name_server
from tests.support.harness import Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def actions(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "actions", ingest_url="http://127.0.0.1:9") as running:
        yield running


async def test_the_new_address_of_a_correction_is_checked(harness: Harness, actions: RunningService) -> None:
    """By ingest, which is reached as over a network; only the socket between is left out."""
    body = {"operation": "correct_address", "target": selected(address(1))}

    async def asked(new: str, **more: Any) -> httpx.Response:
        return await actions.http.post("/v1/operations", json=body | {"parameters": {"new": new, **more}})

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(name_server({"takes.example": {"MX": ["10 mail.takes.example."]}}))
        settings = {"dns_servers": "127.0.0.1", "dns_port": server.port}
        ingest = await stack.enter_async_context(harness.running(create_ingest, IngestSettings, "ingest", **settings))
        app = httpx.ASGITransport(app=ingest.service.app)
        actions.service.app.state.ingest = httpx.AsyncClient(transport=app, base_url="http://ingest")
        refused = await asked("ann@gmial.com")
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert (error["field"], error["suggestion"]) == ("body.parameters.new", "ann@gmail.com")
        assert error["problem"] == "the domain does not exist"
        assert (await actions.service.pool.fetchval("SELECT count(*) FROM operations")) == 0
        found = (await asked("ann@gmial.com", anyway=True)).json()["validation"]
        assert (found["validity"], found["suggestion"]) == ("invalid", "ann@gmail.com")
        found = (await asked("info@takes.example")).json()["validation"]
        assert (found["validity"], found["role"]) == ("valid", True)


async def test_a_correction_goes_on_when_ingest_is_away(actions: RunningService) -> None:
    body = {"operation": "correct_address", "target": selected(address(1)), "parameters": {"new": "ann@gmial.com"}}
    answer = await actions.http.post("/v1/operations", json=body)
    assert (answer.status_code, answer.json()["validation"]["validity"]) == (201, "unknown")
