"""What people were alerted to, whether a channel wanted it or not."""

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts.enums import AlertKind, Severity
from services.alerts.domain.channel import Language
from services.alerts.domain.wording import paragraph
from services.alerts.http.dependencies import owner_of
from services.alerts.repository import alerts as rows
from services.alerts.repository.rows import alert_of
from shared.http.dependencies import Reader, Tenant
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])


class AlertOut(BaseModel):
    """One alert."""

    id: Annotated[str, Field(description="Of its cause")]
    kind: AlertKind
    severity: Severity
    title: str
    text: str
    link: str
    command: str
    facts: dict[str, str]
    occurred_at: datetime
    raised_at: datetime


@router.get("")
async def list_alerts(
    request: Request,
    caller: Reader,
    cursor: Cursor = None,
    limit: Limit = 100,
    language: Language = Language.ENGLISH,
    tenant: Tenant = None,
) -> Page[AlertOut]:
    """The alerts of a tenant, newest first; of the tenant `returpost` those of the installation."""
    before = decode_cursor(cursor, datetime, str) if cursor else (None, None)
    state = request.app.state
    found = await rows.newest(state.service.pool, owner_of(caller, tenant), (before[0], before[1]), limit)
    items = []
    for row in found:
        told = paragraph(alert_of(row), language, "UTC", state.service.settings.console_url)
        items.append(
            AlertOut(
                **{**row, "facts": json.loads(row["facts"])},
                title=told.title,
                text=told.text,
                link=told.link,
                command=told.command,
            )
        )
    return Page(items=items, next_cursor=next_cursor(found, limit, "raised_at", "id"))
