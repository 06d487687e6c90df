"""Signing in and out, keeping a session, and what a visitor prefers: plain forms that work without scripts."""

from html import escape
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.console import i18n
from services.console.api_client import Away, Refused, SignedOut
from services.console.auth import session
from services.console.http.standalone_pages import document

YEAR = 365 * 24 * 3600
_FORMS = """{notice}
<form method="post" action="/sign-in">
<input type="hidden" name="next" value="{next}">
<label class="field"><span>{name_label}</span>
<input name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
</label>
<label class="field"><span>{password_label}</span>
<input name="password" type="password" autocomplete="current-password" required></label>
<button class="button primary wide" type="submit">{submit}</button>
</form>
{single}
<form method="post" action="/preferences" class="languages">
<input type="hidden" name="next" value="/sign-in?{query}">{languages}</form>"""

_CODE_FORM = """{notice}
<form method="post" action="/sign-in/code">
<input type="hidden" name="challenge" value="{challenge}"><input type="hidden" name="next" value="{next}">
<label class="field"><span>{label}</span>
<input name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required autofocus
aria-describedby="code-help"><span class="help" id="code-help">{help}</span></label>
<button class="button primary wide" type="submit">{submit}</button>
</form>
<a class="button wide" href="{back}">{anew}</a>"""
CODE_WANTED = 202
"""The answer to a right password of a user with a second factor."""

router = APIRouter()


async def page(
    request: Request, *, following: str, name: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    """Return the page on which one signs in, with what went wrong if anything did."""
    say = i18n.Texts(session.language_of(request))
    single = await _provider_link(request, say, following)
    notice = f'<p class="notice bad" role="alert">{escape(problem)}</p>' if problem else ""
    others = [
        f'<button class="link" name="language" value="{code}" lang="{code}">{title}</button>'
        for code, title in i18n.LANGUAGES.items()
        if code != say.language
    ]
    return document(
        say.t("Sign in"),
        _FORMS.format(
            notice=notice,
            next=escape(following),
            name=escape(name),
            name_label=say.t("User name"),
            password_label=say.t("Password"),
            submit=say.t("Sign in"),
            single=single,
            query=escape(urlencode({"next": following})),
            languages="".join(others),
        ),
        status,
    )


async def _provider_link(request: Request, say: i18n.Texts, following: str) -> str:
    """Return the button of the provider, if there is one."""
    try:
        answer = await request.app.state.services.ask("actions", "GET", "/v1/sign-in/provider", token=None)
    except (Away, Refused):
        return ""
    name = answer.json()["name"]
    if not name:
        return ""
    target, text = f"/sign-in/provider?{urlencode({'next': following})}", say.t("Sign in with {name}", name=name)
    return f'<a class="button wide" href="{escape(target)}">{escape(text)}</a>'


@router.get("/sign-in")
async def ask(request: Request, next: str = "/") -> Response:  # noqa: A002 - the parameter's name in the URL
    """The page on which one signs in."""
    return await page(request, following=own_path(next))


@router.post("/sign-in")
async def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Begin a session, and go on to where the visitor wanted to be."""
    say, following = i18n.Texts(session.language_of(request)), own_path(next)
    try:
        answer = await request.app.state.services.ask(
            "actions", "POST", "/v1/sign-in", token=None, body={"name": name, "password": password},
            headers={"X-Forwarded-For": _heard_from(request)},
        )  # fmt: skip
    except Away:
        problem = say.t("Signing in is not possible just now: the service that knows the users does not answer.")
        return await page(request, following=following, name=name, problem=problem, status=503)
    except Refused as refused:
        problem = (
            say.t("Too many wrong passwords. Wait a while, then try again.")
            if refused.status == 429
            else say.t("The name or the password is wrong.")
        )
        return await page(request, following=following, name=name, problem=problem, status=refused.status)
    if answer.status_code == CODE_WANTED:
        return code_page(say, following=following, challenge=answer.json()["challenge"])
    return begun(request, following, answer.json())


def code_page(say: i18n.Texts, *, following: str, challenge: str, problem: str = "", status: int = 200) -> HTMLResponse:
    """Return the page that asks for the code after the password."""
    form = _CODE_FORM.format(
        notice=f'<p class="notice bad" role="alert">{escape(problem)}</p>' if problem else "",
        challenge=escape(challenge),
        next=escape(following),
        label=say.t("Code"),
        help=say.t("The six digits of your app, or a recovery code."),
        submit=say.t("Sign in"),
        back=escape(f"/sign-in?{urlencode({'next': following})}"),
        anew=say.t("Begin anew"),
    )
    return document(say.t("Sign in"), form, status)


@router.post("/sign-in/code")
async def sign_in_with_code(
    request: Request,
    challenge: Annotated[str, Form(max_length=2000)] = "",
    code: Annotated[str, Form(max_length=100)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Begin a session by the code of the second factor."""
    say, following = i18n.Texts(session.language_of(request)), own_path(next)
    try:
        answer = await request.app.state.services.ask(
            "actions", "POST", "/v1/sign-in/code", token=None, body={"challenge": challenge, "code": code},
            headers={"X-Forwarded-For": _heard_from(request)},
        )  # fmt: skip
    except Away:
        problem, status = say.t("Signing in is not possible just now. Try again in a moment."), 503
    except Refused as refused:
        if refused.title.startswith("challenge:"):
            problem = say.t("It took too long. Sign in again.")
            return await page(request, following=following, problem=problem, status=401)
        wrong = say.t("The code is wrong, or was used before.")
        late = say.t("Too many wrong codes. Wait a while, then try again.")
        problem, status = late if refused.status == 429 else wrong, refused.status
    else:
        return begun(request, following, answer.json())
    return code_page(say, following=following, challenge=challenge, problem=problem, status=status)


def begun(request: Request, following: str, told: dict[str, Any]) -> Response:
    """Go on to where the visitor wanted to be, with the session that a service has begun."""
    response = RedirectResponse(following, 303)
    _remember(request, response, told["token"])
    _prefer(response, "tenant", told["home"])
    if told["language"] and "language" not in request.cookies:
        _prefer(response, "language", told["language"])
    return response


@router.post("/session/keep", status_code=204)
async def keep(request: Request) -> Response:
    """Go on with the session: a page asks for it while somebody works with it. 401 when it has ended."""
    held = session.read(request.cookies.get(session.COOKIE))
    if held is None:
        return Response(status_code=401)
    try:
        answer = await request.app.state.services.ask("actions", "POST", "/v1/sign-in/renewal", token=held.token)
    except (SignedOut, Refused):
        return Response(status_code=401)
    except Away:
        return Response(status_code=503)
    response = Response(status_code=204)
    _remember(request, response, answer.json()["token"])
    request.app.state.session_refresher.renewed(held.token, answer.json()["token"])
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session, here and in the service."""
    held = session.read(request.cookies.get(session.COOKIE))
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(session.COOKIE, path="/")
    if held is not None:
        try:
            await request.app.state.services.ask("actions", "POST", "/v1/sign-out", token=held.token)
        except (Away, Refused, SignedOut):
            return response  # the token ends by itself, and the browser has it no more
    return response


@router.post("/preferences")
async def prefer(
    request: Request,
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
    language: Annotated[str | None, Form()] = None,
    theme: Annotated[str | None, Form()] = None,
    tenant: Annotated[str | None, Form(max_length=100)] = None,
) -> Response:
    """Choose language, theme or, with a session for all of them, the tenant."""
    response = RedirectResponse(own_path(next), 303)
    if language in i18n.LANGUAGES:
        _prefer(response, "language", str(language))
    if theme in session.THEMES:
        _prefer(response, "theme", str(theme))
    if tenant:
        _prefer(response, "tenant", tenant.strip().lower())
    return response


def _heard_from(request: Request) -> str:
    """Return where a request comes from and by whom it was passed on, for who slows down guesses."""
    passed = [request.headers.get("x-forwarded-for", ""), request.client.host if request.client else ""]
    return ", ".join(filter(None, passed)).encode("ascii", "replace").decode()


def own_path(target: str) -> str:
    """Return a place of this console; what leads elsewhere becomes the first page."""
    parts = urlsplit(target)
    inside = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return target if inside else "/"


def _remember(request: Request, response: Response, token: str) -> None:
    session.remember(response, token, secure=not request.app.state.settings.insecure_cookies)


def _prefer(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR, samesite="lax", httponly=True, path="/")
