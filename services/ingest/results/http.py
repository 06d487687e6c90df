"""HTTP: hand in delivery results. A 2xx answer means that RabbitMQ has confirmed them."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from returpost.bounces.events.results import check_time, events_of
from returpost.bounces.events.rows import RefusedRow, read_results, split_rows
from returpost.contracts import DeliveryResult, Name
from returpost.contracts.cloudevents import Event
from returpost.errors import InvalidMessage
from services.ingest.mail_sources.ingestion import emit_all
from shared.http.auth import Caller, requires
from shared.http.problems import problem

MAX_REFUSALS = 100
"""Refused rows that an answer describes; the rest is counted."""


router = APIRouter(prefix="/v1", tags=["ingest"])
Sender = Annotated[Caller, Depends(requires("send"))]


@router.post("/delivery-results", status_code=202)
async def delivery_results(request: Request, caller: Sender, tenant: Annotated[Name | None, Query()] = None) -> Any:
    """Hand in results: one JSON object, a list of them, or JSON lines (`application/x-ndjson`).

    Each is the data of `returpost.delivery.result.v1`, with an `id` of its own if the sender has one; a CloudEvent with
    that data is taken as well. A row that is wrong is named in the answer and stops no other. 202 when any was taken,
    422 when none was.
    """
    owner = caller.tenant_for(tenant)
    body = await request.body()
    lines = "ndjson" in request.headers.get("content-type", "") or "jsonl" in request.headers.get("content-type", "")
    taken, refused = read_results(split_rows(body, lines=lines), owner, f"/senders/{caller.name}")
    checked: list[Event[DeliveryResult]] = []
    now, tolerance = datetime.now(UTC), request.app.state.service.settings.clock_tolerance
    for index, event in taken:
        try:
            check_time(event.data.time, now, tolerance)
            checked.append(event)
        except InvalidMessage as error:
            refused.append(RefusedRow(index, str(error)))
    async with request.app.state.service.uow_factory.begin() as work:
        for event in checked:
            emit_all(work, events_of(event))
    refused.sort(key=lambda row: row.index)
    errors = [{"field": f"[{row.index}]", "problem": row.problem} for row in refused[:MAX_REFUSALS]]
    if not checked:
        return problem(422, "no result was taken", errors=errors)
    return {"accepted": len(checked), "refused": len(refused), "errors": errors}
