"""HTTP: hand in delivery results and bounce mails. A 2xx answer means that RabbitMQ has confirmed them."""

import codecs
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from returpost.bounces.events.results import check_time, events_of, of_input
from returpost.contracts import DeliveryResult, Name
from returpost.contracts.cloudevents import Event, explain, split
from returpost.errors import InvalidMessage
from services.ingest.mailroom import MAX_MAIL, Mailroom, emit_all
from shared.http.auth import Caller, requires
from shared.http.problems import problem

MAX_RESULTS = 50_000
MAX_REFUSALS = 100
"""Refused rows that an answer describes; the rest is counted."""

_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}\Z")
"""As `Id` of the contracts; a lone surrogate is no character either, though JSON can spell it."""

router = APIRouter(prefix="/v1", tags=["ingest"])
Sender = Annotated[Caller, Depends(requires("send"))]


@dataclass(frozen=True, slots=True)
class Refused:
    """One row that was not taken: its place, counted from 0, and what is wrong with it."""

    index: int
    problem: str


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
    taken, refused = read_results(rows(body, lines=lines), owner, f"/senders/{caller.name}")
    checked: list[Event[DeliveryResult]] = []
    now, tolerance = datetime.now(UTC), request.app.state.service.settings.clock_tolerance
    for index, event in taken:
        try:
            check_time(event.data.time, now, tolerance)
            checked.append(event)
        except InvalidMessage as error:
            refused.append(Refused(index, str(error)))
    async with request.app.state.service.uow_factory.begin() as work:
        for event in checked:
            emit_all(work, events_of(event))
    refused.sort(key=lambda row: row.index)
    errors = [{"field": f"[{row.index}]", "problem": row.problem} for row in refused[:MAX_REFUSALS]]
    if not checked:
        return problem(422, "no result was taken", errors=errors)
    return {"accepted": len(checked), "refused": len(refused), "errors": errors}


@router.post("/bounce-mails", status_code=202)
async def bounce_mails(
    request: Request,
    caller: Sender,
    tenant: Annotated[Name | None, Query()] = None,
    sender: Name | None = None,
    stream: Name | None = None,
    sent_to: Annotated[list[Annotated[str, Query(max_length=600)]] | None, Query(max_length=100)] = None,
) -> Any:
    """Hand in one mail as it was received (`message/rfc822`).

    `sender` is the system that sent the message which came back; without it, the message's header `X-Returpost-Sender`
    tells, else it is `default`. `stream` is what kind of mail that was; without it, `X-Returpost-Stream` tells.
    `sent_to` is the address that the mail was received for (once or more), when its headers do not tell: a return path
    that names mailing and recipient is read from there.

    The answer tells what was found in it. A mail that nobody can make anything of is kept among the dead letters, and
    answered with 202 and `recognised: false`: sending it again would not help.
    """
    owner = caller.tenant_for(tenant)
    body = await request.body()
    if not body or len(body) > MAX_MAIL:
        return problem(422 if not body else 413, f"body: {len(body)} bytes; a mail has 1 to {MAX_MAIL}")
    mailroom: Mailroom = request.app.state.mailroom
    read = await mailroom.take(body, tenant=owner, sender=sender, came_by="http", sent_to=sent_to or (), stream=stream)
    if read.problem:
        return JSONResponse({"id": read.identity, "recognised": False, "problem": read.problem, "reports": []}, 202)
    parsed = read.parsed
    reports = [
        {
            "address": report.recipient,
            "original_recipient": report.original_recipient,
            "kind": report.evidence.kind,
            "status": report.evidence.status,
            "reply_code": report.evidence.reply_code,
            "diagnostic": report.evidence.diagnostic[:500],
        }
        for report in parsed.reports
    ]
    return {"id": read.identity, "recognised": True, "kind": parsed.kind, "format": parsed.format, "reports": reports}


def rows(body: bytes, *, lines: bool) -> list[bytes]:
    """Cut the body into rows: lines, the elements of a list, or the one object. Raises `InvalidMessage`."""
    body = body.removeprefix(codecs.BOM_UTF8)
    if lines:
        found = [line for line in body.splitlines() if line.strip()]
    elif body.lstrip()[:1] == b"[":
        found = list(split(body))
    else:
        found = [body] if body.strip() else []
    if not found:
        raise InvalidMessage("body: empty; send one delivery result, a JSON list of them or JSON lines")
    if len(found) > MAX_RESULTS:
        raise InvalidMessage(f"body: {len(found)} results; at most {MAX_RESULTS} at a time")
    return found


def read_results(
    found: list[bytes], tenant: str, source: str
) -> tuple[list[tuple[int, Event[DeliveryResult]]], list[Refused]]:
    """Read each row for itself: what is right with its place, and what is wrong."""
    taken: list[tuple[int, Event[DeliveryResult]]] = []
    refused: list[Refused] = []
    for index, row in enumerate(found):
        try:
            taken.append((index, _read(row, tenant, source)))
        except ValidationError as error:
            refused.append(Refused(index, explain(error)))
        except InvalidMessage as error:
            refused.append(Refused(index, str(error)))
    return taken, refused


def _read(row: bytes, tenant: str, source: str) -> Event[DeliveryResult]:
    try:
        value = json.loads(row)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidMessage("not an object")
    if "specversion" in value:
        event = Event[DeliveryResult].model_validate({"tenant": tenant} | value)
        if event.type != DeliveryResult.TYPE:
            raise InvalidMessage(f"type: expected {DeliveryResult.TYPE}, got {event.type[:100]}")
        if event.tenant != tenant:
            raise InvalidMessage(f"tenant: this token is for {tenant}")
        return event
    identity = value.get("id")
    if identity is not None and not (isinstance(identity, str) and _ID.match(identity)):
        raise InvalidMessage("id: a text of 1 to 200 characters, none of them a control character")
    return of_input(DeliveryResult.model_validate(value), tenant=tenant, id_=identity, source=source)
