"""The frame of every page: who looks, the way to the other pages, and what is said when a service is away."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui

from services.console.api_client import Api, Away, Refused, SignedOut, Trouble
from services.console.auth import session
from services.console.components.brand import STYLE_SHEET, asset
from services.console.components.markup import Tag, icon, link, notice, plain
from services.console.i18n import LANGUAGES, Texts, gettext_noop as _

NAVIGATION = (
    ("/", "chart", _("Overview"), "read"),
    ("/mailings", "mail", _("Mailings"), "read"),
    ("/blocked", "block", _("Blocked addresses"), "read"),
    ("/contacts", "people", _("People"), "read"),
    ("/selections", "list", _("Selections"), "read"),
    ("/operations", "bolt", _("Operations"), "read"),
    ("/settings", "settings", _("Settings"), "read"),
    ("/system", "pulse", _("System"), "operate"),
    ("/users", "key", _("Users and tokens"), "administer"),
)
INSIDE = {
    "/blocked": ("/blocked", "/addresses"),
    "/selections": ("/selections", "/projects"),
    "/system": ("/system", "/trace"),
}
"""Which paths a page of the navigation stands for, where they are others than those below its own."""
PARTS = {
    "ingest": _("the service that receives delivery results"),
    "classifier": _("the service that classifies bounces"),
    "blocklist": _("the service for blocked addresses"),
    "actions": _("the service for mailings and people"),
    "replay": _("the service that keeps dead letters"),
    "alerts": _("the service that alerts people"),
}

log = structlog.get_logger()


@dataclass(slots=True)
class Visitor:
    """Who looks at a page, in which language, and with which rights."""

    api: Api
    texts: Texts
    name: str
    scopes: frozenset[str]
    all_tenants: bool
    theme: str
    path: str
    query: Mapping[str, str]
    parameters: Mapping[str, str]
    urls: Mapping[str, str] = field(default_factory=dict)
    toasts: Tag | None = None
    """Where notices stand that belong to no part of the page."""

    def may(self, scope: str) -> bool:
        """Tell whether the visitor has this right."""
        return scope in self.scopes

    def t(self, text: str, **values: object) -> str:
        """Return a text in the visitor's language."""
        return self.texts.t(text, **values)

    def trouble(self, trouble: Trouble) -> tuple[str, str, tuple[str, str] | None]:
        """Say what went wrong, that nothing was lost, and what leads out of it, as `notice` takes them."""
        if isinstance(trouble, Away):
            part = self.t(PARTS.get(trouble.service, trouble.service))
            more = self.t("Nothing is lost. The rest of the console works; try again in a moment.")
            return self.t("Temporarily unavailable: {part}.", part=part), more, None
        if isinstance(trouble, SignedOut):
            here = f"{self.path}?{urlencode(self.query)}" if self.query else self.path
            way = (self.t("Sign in"), f"/sign-in?next={quote(here, safe='')}")
            return self.t("You have been signed out."), self.t("Sign in again; nothing is lost."), way
        if isinstance(trouble, Refused) and trouble.status == 403:
            return (
                self.t("You do not have access to do this."),
                self.t("An administrator can give you the right."),
                None,
            )
        if isinstance(trouble, Refused) and trouble.status == 404:
            more = self.t("Perhaps it was removed, or the address of this page is mistyped.")
            return self.t("What you asked for is not there."), more, None
        told = trouble.title if isinstance(trouble, Refused) else str(trouble)
        faults = "; ".join(f"{e.get('field')}: {e.get('problem')}" for e in getattr(trouble, "errors", []))
        return self.t("That was not accepted."), faults or told, None

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Show what goes wrong in a part of a page in its place; the other parts go on."""
        try:
            yield
        except Trouble as trouble:
            notice("warn", *self.trouble(trouble))
        except Exception:
            log.exception("a page could not be drawn", path=self.path)
            notice(
                "bad",
                self.t("Something is wrong with this page."),
                self.t("It was noted for the operators. Nothing is lost."),
            )


Build = Callable[[Visitor], Awaitable[None]]


class Pages:
    """The pages that were declared, with the application that they belong to."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def add(self, path: str, title: str, build: Build, scope: str = "read") -> None:
        """Serve a page: `build` draws what is between the frame's lines."""

        async def show(request: Request) -> Response | None:
            visitor = visitor_of(self._app, request)
            if visitor is None:
                return RedirectResponse("/sign-in", 303)
            ui.page_title(f"{visitor.t(title)} · Returpost")
            with _frame(visitor):
                if visitor.may(scope):
                    with visitor.guarding():
                        await build(visitor)
                else:
                    notice("warn", visitor.t("You do not have access to this page."))
            return None

        ui.page(path, response_timeout=60)(show)


def visitor_of(app: FastAPI, request: Request) -> Visitor | None:
    """Return who asks for a page."""
    held = session.read(request.cookies.get(session.COOKIE))
    if held is None:
        return None
    chosen = request.cookies.get("tenant", "")
    tenant = held.tenant if held.tenant != "*" else chosen or "demo"
    language = session.language_of(request)
    return Visitor(
        app.state.session_refresher.api(held, tenant),
        Texts(language, request.cookies.get("zone", "UTC")),
        held.name,
        held.scopes,
        held.tenant == "*",
        session.theme_of(request),
        request.url.path,
        dict(request.query_params),
        dict(request.path_params),
        app.state.settings.urls(),
    )


@contextmanager
def _frame(visitor: Visitor) -> Iterator[None]:
    ui.add_head_html(f'<link rel="stylesheet" href="{STYLE_SHEET}"><script src="{asset("page.js")}" defer></script>')
    link(visitor.t("To the content"), "#content", "skip")
    with Tag("header", "top"):
        with Tag("a", "brand", href="/"):
            with Tag("svg", "mark", aria_hidden="true"):
                Tag("use", href="/assets/icons.svg#mark")
            Tag("span", text="Returpost")
        _navigation(visitor)
        _preferences(visitor)
    main = Tag("main", "content", id="content", tabindex="-1")
    visitor.toasts = Tag("section", "toasts", aria_label=visitor.t("Notices"), aria_live="polite")
    with main:
        yield


def _navigation(visitor: Visitor) -> None:
    with Tag("details", "menu ways"):
        with Tag("summary", aria_label=visitor.t("Menu")):
            icon("menu")
        _ways(visitor)
    _ways(visitor, "wide")


def _ways(visitor: Visitor, classes: str = "") -> None:
    with Tag("nav", f"ways-list {classes}", aria_label=visitor.t("Pages")):
        for path, picture, title, scope in NAVIGATION:
            if not visitor.may(scope) or (scope == "operate" and not visitor.all_tenants):
                continue
            inside = visitor.path == path or (path != "/" and visitor.path.startswith(INSIDE.get(path, (path,))))
            with Tag("a", href=path, aria_current="page" if inside else None):
                icon(picture)
                Tag("span", text=visitor.t(title))


def _preferences(visitor: Visitor) -> None:
    with Tag("details", "menu me"):
        with Tag("summary", aria_label=visitor.t("{name}: settings of your own", name=visitor.name)):
            icon("person")
            Tag("span", "me-name", visitor.name)
        with Tag("div", "menu-box"):
            Tag("p", "quiet", visitor.t("Customer: {tenant}", tenant=visitor.api.tenant))
            if visitor.all_tenants:
                _tenant_form(visitor)
            _choices(visitor, visitor.t("Language"), "language", LANGUAGES, visitor.texts.language)
            themes = {"auto": visitor.t("As the system"), "light": visitor.t("Light"), "dark": visitor.t("Dark")}
            _choices(visitor, visitor.t("Colours"), "theme", themes, visitor.theme)
            with Tag("a", "button wide", href="/account"):
                icon("key")
                Tag("span", text=visitor.t("Your sign-in"))
            with Tag("form", method="post", action="/sign-out"), Tag("button", "button wide", type="submit"):
                icon("out")
                Tag("span", text=visitor.t("Sign out"))


def _tenant_form(visitor: Visitor) -> None:
    with Tag("form", "row", method="post", action="/preferences"):
        Tag("input", type="hidden", name="next", value="/")
        label = visitor.t("Customer")
        Tag("input", "input", name="tenant", value=visitor.api.tenant, aria_label=label, pattern="[a-z0-9-]+")
        Tag("button", "button", visitor.t("Show"), type="submit")


def _choices(visitor: Visitor, title: str, name: str, choices: Mapping[str, str], chosen: str) -> None:
    with Tag("form", "choices", method="post", action="/preferences"):
        Tag("input", type="hidden", name="next", value=visitor.path)
        with Tag("fieldset"):
            Tag("legend", text=title)
            for code, text in choices.items():
                pressed = "true" if code == chosen else "false"
                lang = code if name == "language" else None
                Tag("button", "choice", text, type="submit", name=name, value=code, aria_pressed=pressed, lang=lang)


def heading(title: str, lead: str = "") -> Tag:
    """The title of a page, and of the browser's window."""
    ui.page_title(f"{plain(title)} · Returpost")
    head = Tag("div", "page-head")
    with head, Tag("div", "page-title"):
        Tag("h1", text=title)
        if lead:
            Tag("p", "lead", lead)
    return head


def reload(visitor: Visitor) -> None:
    """Show the page anew. (NiceGUI's own way to do so evaluates code, which is not allowed.)"""
    ui.navigate.to(f"{quote(visitor.path)}?{urlencode(visitor.query)}" if visitor.query else quote(visitor.path))


def trail(visitor: Visitor, *steps: tuple[str, str]) -> None:
    """Where the page is: links to what it is part of."""
    with Tag("nav", "trail", aria_label=visitor.t("Breadcrumb")):
        for text, target in steps:
            link(text, target)
            icon("right")
