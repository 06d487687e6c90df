"""Pages that stand by themselves and need no scripts: the way in, and what there is instead of a page."""

from html import escape

import nicegui
from fastapi import Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from services.console import i18n
from services.console.auth import session
from services.console.components.brand import MARK, STYLE_SHEET, asset

_DOCUMENT = """<!doctype html>
<html><head><meta charset="utf-8"><title>{title} · Returpost</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/assets/favicon.svg"><link rel="stylesheet" href="{style}">
<script src="{script}" defer></script></head>
<body class="entrance"><main class="entrance-card">
<div class="brand">{mark}<span>Returpost</span></div>
<h1>{title}</h1>
{body}
</main></body></html>"""


def document(title: str, body: str, status: int = 200) -> HTMLResponse:
    """Return a page with this title, which is plain text, and this HTML below it."""
    made = _DOCUMENT.format(title=escape(title), style=STYLE_SHEET, script=asset("page.js"), mark=MARK, body=body)
    return HTMLResponse(made, status)


def answer_for_lost_pages() -> None:
    """Show pages of our own where there is none and where one failed: NiceGUI's evaluate code, which is not allowed."""
    nicegui.app.add_exception_handler(404, _not_there)
    nicegui.app.add_exception_handler(Exception, _failed)


async def _not_there(request: Request, exception: Exception) -> Response:
    if request.url.path.startswith("/_nicegui/") and isinstance(exception, HTTPException):
        return await http_exception_handler(request, exception)
    say = i18n.Texts(session.language_of(request))
    return _instead(say, say.t("There is no such page"), say.t("Perhaps the address is mistyped."), 404)


async def _failed(request: Request, _: Exception) -> Response:
    """Starlette raises the error once more after this, so that it is logged."""
    say = i18n.Texts(session.language_of(request))
    told = say.t("It was noted for the operators. Nothing is lost.")
    return _instead(say, say.t("Something is wrong with this page."), told, 500)


def _instead(say: i18n.Texts, title: str, told: str, status: int) -> Response:
    way = f'<a class="button primary wide" href="/">{escape(say.t("To the overview"))}</a>'
    return document(title, f"<p>{escape(told)}</p>{way}", status)
