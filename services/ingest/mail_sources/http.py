"""HTTP: hand in bounce mails. A 2xx answer means that RabbitMQ has confirmed what they tell."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from returpost.contracts import Kind, Name
from services.ingest.mail_sources.ingestion import MAX_MAIL, MailIngestion
from shared.http.auth import Caller, requires
from shared.http.dependencies import Tenant
from shared.http.problems import problem

MAX_DIAGNOSTIC = 500
"""Characters of a diagnostic that an answer shows."""

router = APIRouter(prefix="/v1", tags=["ingest"])
Sender = Annotated[Caller, Depends(requires("send"))]


class ReportSummary(BaseModel):
    """What a mail reports on one recipient."""

    address: str
    original_recipient: str | None
    kind: Kind
    status: str | None
    reply_code: int | None
    diagnostic: str


class MailAnswer(BaseModel):
    """What was found in a mail. Of one that nobody can make anything of, `problem` says why."""

    id: str
    """By which the mail is found among the raw messages."""
    recognised: bool
    problem: str | None = None
    kind: Kind | None = None
    format: str | None = None
    reports: list[ReportSummary]


@router.post("/bounce-mails", status_code=202, response_model=MailAnswer)
async def bounce_mails(
    request: Request,
    caller: Sender,
    tenant: Tenant = None,
    sender: Name | None = None,
    stream: Name | None = None,
    sent_to: Annotated[list[Annotated[str, Query(max_length=600)]] | None, Query(max_length=100)] = None,
) -> MailAnswer | JSONResponse:
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
    mail_ingestion: MailIngestion = request.app.state.mail_ingestion
    read = await mail_ingestion.take(
        body, tenant=owner, sender=sender, source="http", sent_to=sent_to or (), stream=stream
    )
    if read.problem:
        return MailAnswer(id=read.identity, recognised=False, problem=read.problem, reports=[])
    parsed = read.parsed
    reports = [
        ReportSummary(
            address=report.recipient,
            original_recipient=report.original_recipient,
            kind=report.evidence.kind,
            status=report.evidence.status,
            reply_code=report.evidence.reply_code,
            diagnostic=report.evidence.diagnostic[:MAX_DIAGNOSTIC],
        )
        for report in parsed.reports
    ]
    return MailAnswer(id=read.identity, recognised=True, kind=parsed.kind, format=parsed.format, reports=reports)
