"""Every route of every service wants a token, its scope and its tenant; a role may what it says, and no more.

No list of routes is kept here: whatever a service serves is asked. What needs no token, and what only reads though it
is a POST, is named below, and nothing else may.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from returpost.contracts.enums import Role
from returpost.contracts.routing import SERVICES
from shared.http.auth import OF_ONE_TENANT, SCOPE_OF, SCOPES, SCOPES_OF_ROLE, issue
from tests.support.harness import TENANT, TOKEN_KEY, Harness

OPEN = {"/health/live", "/health/ready", "/metrics", "/webhooks/{provider}/{tenant}", "/v1/sign-in", "/v1/sign-in/code"}
OPEN |= {"/v1/sign-in/provider", "/v1/sign-in/provider/begin", "/v1/sign-in/provider/finish", "/u/{token}"}
"""Health and metrics for who runs it; webhooks and unsubscribe links, which bring proofs of their own; where a password
is the proof, or what an OpenID Connect provider says."""
OWN = {
    "/v1/me",
    "/v1/me/sessions",
    "/v1/me/sessions/{identity}",
    "/v1/sign-out",
    "/v1/sign-in/renewal",
    "/v1/me/second-factor",
    "/v1/me/second-factor/confirm",
    "/v1/me/second-factor/remove",
}
"""About the caller alone: no tenant is asked for, and changing something takes no more than a session."""
READING_POSTS = {"/v1/check", "/v1/validate", "/v1/classify", "/v1/reconcile", "/v1/dead-letters/plan"}
READING_POSTS |= {"/v1/reconcile/file", "/v1/archive/plan", "/v1/settings/preview", "/v1/residual-searches"}
READING_POSTS |= {"/v1/stop-signals/preview", "/v1/archive/search"}
READING = {"read", "check", "operate"}
PART = re.compile(r"{(\w+)(?::\w+)?}")
PLACES = {
    "address": "a@example.com",
    "action": "replay",
    "operation_id": "o",
    "identity": "o",
    "mailing": "m",
    "place": "1.0",
    "view": "returned",
}

pytestmark = [pytest.mark.anyio, pytest.mark.services]


def routes(app: FastAPI) -> Iterator[tuple[str, str, str, str | None, bool]]:
    """Yield the method of each route, its path as it is declared and as it is asked, the scope that it demands, and
    whether operators of one tenant may ask for their own."""
    found = 0
    for context in iter_route_contexts(app.routes):
        route, declared = context.original_route, context.path or ""
        if isinstance(route, APIRoute):
            path = PART.sub(lambda part: PLACES.get(part[1], "x"), declared)
            for method in sorted(route.methods or ()):
                found += 1
                yield method, declared, path, scope_of(route.dependant), of_one_tenant(route.dependant)
    assert found > 5, "routes that are not seen are not tested"


def scope_of(dependant: Dependant) -> str | None:
    found = [SCOPE_OF[one.call] for one in dependant.dependencies if one.call in SCOPE_OF]
    found += [scope for one in dependant.dependencies if (scope := scope_of(one)) is not None]
    assert len(found) <= 1, found
    return found[0] if found else None


def of_one_tenant(dependant: Dependant) -> bool:
    """Tell whether a route shows operators of one tenant what is theirs."""
    return any(one.call in OF_ONE_TENANT or of_one_tenant(one) for one in dependant.dependencies)


def app_of(service: str) -> FastAPI:
    settings = import_module(f"services.{service}.settings").Settings.model_construct()
    app: FastAPI = import_module(f"services.{service}.app").create(settings).app
    return app


def token(tenant: str, scopes: tuple[str, ...]) -> str:
    return issue(TOKEN_KEY, name="test", tenant=tenant, scopes=scopes, lifetime=timedelta(hours=1))


@pytest.mark.parametrize("service", SERVICES)
def test_what_changes_something_demands_more_than_reading(service: str) -> None:
    for method, declared, _, scope, _ in routes(app_of(service)):
        if declared in OPEN:
            continue
        assert scope in SCOPES, f"{method} {declared} asks for no scope"
        if method not in ("GET", "HEAD") and declared not in READING_POSTS | OWN:
            assert scope not in READING - {"operate"}, f"{method} {declared} asks for {scope} only"


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_refuses_whoever_may_not(harness: Harness, service: str) -> None:
    """Each role, nobody, and a caller of another tenant, at each route; the refusals are problems (RFC 9457)."""
    module, kind = import_module(f"services.{service}.app"), import_module(f"services.{service}.settings").Settings
    async with harness.running(module.create, kind, service) as running:

        async def ask(
            method: str, path: str, bearer: str, tenant: str | None = None, body: bytes = b"{}"
        ) -> httpx.Response:
            headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
            params = {"tenant": tenant} if tenant else {}
            return await running.http.request(method, path, headers=headers, params=params, content=body)

        for method, declared, path, scope, own in routes(running.service.app):
            if declared in OPEN:
                continue
            assert scope is not None
            place = f"{method} {path}"
            refuses(await ask(method, path, ""), 401, place)
            refuses(await ask(method, path, "no.such.token", body=b'{"garbage'), 401, place)
            if declared in OWN:
                continue
            for role in Role:
                answer = await ask(method, path, token("*", SCOPES_OF_ROLE[role]), TENANT)
                if scope not in SCOPES_OF_ROLE[role]:
                    refuses(answer, 403, f"{place} as {role}")
                else:
                    assert answer.status_code not in (401, 403, 405), f"{place} as {role}: {answer.text}"
                    assert answer.status_code < 500, f"{place} as {role}: {answer.text}"
            if scope == "operate" and not own:
                refuses(await ask(method, path, token(TENANT, SCOPES)), 403, place)
            else:
                await refuses_the_other_tenant(ask, method, path)


async def refuses_the_other_tenant(ask: Any, method: str, path: str) -> None:
    """Tell that a token of one tenant never works for another: refused, or not even read."""
    answer = await ask(method, path, token("other", SCOPES), TENANT)
    assert answer.status_code in (400, 403, 415, 422), f"{method} {path}: {answer.status_code} {answer.text}"


def refuses(answer: httpx.Response, status: int, place: str) -> None:
    assert answer.status_code == status, f"{place}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json", place
    assert answer.json()["status"] == status


def test_an_administrator_may_all_and_a_viewer_changes_nothing() -> None:
    assert set(SCOPES_OF_ROLE[Role.ADMINISTRATOR]) == set(SCOPES)
    assert set(SCOPES_OF_ROLE[Role.VIEWER]) <= READING
    for role in (Role.VIEWER, Role.MARKETER, Role.OPERATOR):
        assert not {"administer", "send"} & set(SCOPES_OF_ROLE[role])
    assert "operate" not in SCOPES_OF_ROLE[Role.MARKETER]
    assert "write" not in SCOPES_OF_ROLE[Role.OPERATOR]
