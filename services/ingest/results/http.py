"""HTTP: hand in delivery results. A 2xx answer means that RabbitMQ has confirmed them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from returpost.bounces.events.results import events_of
from returpost.bounces.events.rows import RefusedRow, read_results, split_rows
from returpost.contracts import DeliveryResult
from returpost.contracts.cloudevents import Event
from returpost.errors import InvalidMessage
from services.ingest.events import emit_results
from shared.clock import check_not_in_future
from shared.http.auth import Caller, requires
from shared.http.dependencies import Tenant
from shared.http.problems import problem
from shared.pacing import paced

MAX_REFUSALS = 100
"""Refused rows that an answer describes; the rest is counted."""


router = APIRouter(prefix="/v1", tags=["ingest"])
Sender = Annotated[Caller, Depends(requires("send"))]


class RowProblem(BaseModel):
    """What is wrong with one row."""

    field: str
    """Its position, counted from 0, in brackets."""
    problem: str


class ResultsAnswer(BaseModel):
    """How many rows were taken; of those that were not, the first are described."""

    accepted: int
    refused: int
    errors: list[RowProblem]


@router.post("/delivery-results", status_code=202, response_model=ResultsAnswer)
async def delivery_results(request: Request, caller: Sender, tenant: Tenant = None) -> ResultsAnswer | JSONResponse:
    """Hand in results: one JSON object, a list of them, or JSON lines (`application/x-ndjson`).

    Each is the data of `returpost.delivery.result.v1`, with an `id` of its own if the sender has one; a CloudEvent with
    that data is taken as well. A row that is wrong is named in the answer and stops no other. 202 when any was taken,
    422 when none was.
    """
    owner = caller.tenant_for(tenant)
    body = await request.body()
    lines = "ndjson" in request.headers.get("content-type", "") or "jsonl" in request.headers.get("content-type", "")
    checked: list[Event[DeliveryResult]] = []
    refused: list[RefusedRow] = []
    now, tolerance = datetime.now(UTC), request.app.state.service.settings.clock_tolerance
    async for row in paced(read_results(split_rows(body, lines=lines), owner, f"/senders/{caller.name}")):
        try:
            if isinstance(row, RefusedRow):
                refused.append(row)
            else:
                check_not_in_future(row.data.time, now, tolerance)
                checked.append(row)
        except InvalidMessage as error:
            refused.append(RefusedRow(len(checked) + len(refused), str(error)))
    async with request.app.state.service.uow_factory.begin() as work:
        async for event in paced(checked):
            emit_results(work, owner, events_of(event))
    errors = [RowProblem(field=f"[{row.index}]", problem=row.problem) for row in refused[:MAX_REFUSALS]]
    if not checked:
        return problem(422, "no result was taken", errors=[error.model_dump() for error in errors])
    return ResultsAnswer(accepted=len(checked), refused=len(refused), errors=errors)
