"""HTTP: `POST /u/<token>` unsubscribes, for mailbox providers and for the button of the page that `GET` answers.

No login: the token is the proof. A forged, damaged or expired one changes nothing, and all are answered alike. The
event has its id from the token: the same link used again is the same unsubscribe, which happened when it was first
used, so that none of its repeats outlives a later subscription.
"""

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request
from fastapi.responses import HTMLResponse

from returpost.bounces.events.results import Derived
from returpost.contracts import DeliveryRecorded, ids
from returpost.contracts.enums import Result
from returpost.contracts.unsubscribe_link import UnsubscribeLink, unseal
from services.ingest.events import emit_results
from services.ingest.unsubscribes import pages

SENDER = "default"
ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""RFC 8058 section 3.2: the pair that the body of a one-click request has, URL-encoded or as multipart form data."""
MAX_BODY = 4_096
_STYLE = b64encode(sha256(pages.STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}

router = APIRouter(prefix="/u", tags=["ingest"])
Language = Annotated[str, Header(alias="Accept-Language")]


@router.get("/{token}", response_class=HTMLResponse)
async def ask(request: Request, token: str, accept_language: Language = "") -> HTMLResponse:
    """The page that asks a person once. It changes nothing: mail filters follow every link."""
    language, link = pages.language_of(accept_language), _link(request, token)
    if link is None:
        return _answer(pages.invalid(language), 404)
    return _answer(pages.ask(language, link.stream))


@router.post("/{token}", response_class=HTMLResponse)
async def unsubscribe(request: Request, token: str, accept_language: Language = "") -> HTMLResponse:
    """Unsubscribe; 200: RabbitMQ has confirmed it. A body that is neither one-click's nor the page's gets 400."""
    language, link = pages.language_of(accept_language), _link(request, token)
    if link is None:
        return _answer(pages.invalid(language), 404)
    if not _meant(request.headers.get("content-type", ""), await request.body()):
        return _answer(pages.ask(language, link.stream), 400)
    recorded = DeliveryRecorded(
        mailing=link.mailing, address=link.address, result=Result.UNSUBSCRIBED, time=datetime.now(UTC),
        sender=SENDER, stream=link.stream,
    )  # fmt: skip
    async with request.app.state.service.uow_factory.begin() as work:
        emit_results(work, link.tenant, [Derived(ids.of_content("one-click", link.tenant, token), recorded)])
    return _answer(pages.done(language))


def _link(request: Request, token: str) -> UnsubscribeLink | None:
    keys = request.app.state.return_paths.keys
    return unseal(token, keys, datetime.now(UTC))


def _meant(content_type: str, body: bytes) -> bool:
    """Say whether a body has the pair of a one-click request, or that of the page's button."""
    if len(body) > MAX_BODY:
        return False
    text = body.decode("utf-8", "replace")
    if content_type.lower().startswith("multipart/form-data"):
        name, value = ONE_CLICK
        _, _, rest = text.partition(f'name="{name}"')
        return rest.partition("\r\n\r\n")[2].partition("\r\n")[0].strip() == value
    pairs = parse_qs(text)
    return pairs.get(ONE_CLICK[0]) == [ONE_CLICK[1]] or pages.FIELD in pairs


def _answer(page: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page, status, HEADERS)
