"""Errors as problem details (RFC 9457) that name the field."""

import re
from typing import Any

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from returpost.errors import InvalidMessage, ReturpostError, Unavailable, words
from shared.transient_errors import is_infrastructure

PROBLEM = "application/problem+json"
"""RFC 9457."""
MAX_PROBLEMS = 100
RETRY = {"Retry-After": "5"}
_FIELD = re.compile(r"(body|query|path|header)(\.[\w-]+)*")
_FAULT = {"type": "object", "properties": {"field": {"type": "string"}, "problem": {"type": "string"}}}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": _FAULT},
    },
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {PROBLEM: {"schema": _PROBLEM}}}
    for status, description in {
        400: "It cannot be done; the problem says why",
        401: "Token missing, unknown or expired",
        403: "The token may not do this, or not for this tenant",
        404: "What it names is not known",
        408: "The request came too slowly, and was not read to its end",
        409: "It cannot be done as things are now",
        410: "It was there, and is no more",
        412: "What `If-Match` names is not the version that there is by now",
        413: "The body is longer than is taken",
        422: "The request is not valid; `errors` name the fields",
        429: "Too many requests with this token; `Retry-After` and `RateLimit` tell when",
        431: "Its headers are more or longer than are taken",
        503: "The database or the broker is away; `Retry-After` tells when to ask again",
    }.items()
}
"""What every route may answer, besides what is its own."""


def problem(
    status: int, title: str, *, errors: list[dict[str, Any]] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a refusal that says what was wrong, and where."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, headers, PROBLEM)


def fields_of(error: ValidationError | RequestValidationError) -> list[dict[str, str]]:
    """Return field and problem of each fault; never the input, which may hold addresses."""
    errors = error.errors()[:MAX_PROBLEMS]
    return [{"field": ".".join(str(part) for part in one["loc"]), "problem": words(one)} for one in errors]


def install_exception_handlers(app: FastAPI) -> None:
    """Install the handlers that turn errors into problems."""

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    async def invalid(_: Request, error: RequestValidationError | ValidationError) -> Response:
        return problem(422, "the request is not valid", errors=fields_of(error))

    @app.exception_handler(InvalidMessage)
    async def broken(_: Request, error: InvalidMessage) -> Response:
        field, _separator, what = str(error).partition(": ")
        named = what and _FIELD.fullmatch(field)
        return problem(422, str(error), errors=[{"field": field, "problem": what}] if named else None)

    @app.exception_handler(Unavailable)
    async def away(_: Request, error: Unavailable) -> Response:
        return problem(503, f"not accepted, try again: {error}", headers=RETRY)

    @app.exception_handler(asyncpg.DataError)  # SQLSTATE 22: a NUL, a number beyond 64 bits
    @app.exception_handler(UnicodeEncodeError)  # half of a surrogate pair, which JSON can spell
    @app.exception_handler(RecursionError)
    async def cannot_be(_: Request, error: Exception) -> Response:
        return problem(422, f"a value is none that can be stored or answered ({type(error).__name__})")

    @app.exception_handler(asyncpg.PostgresError)
    @app.exception_handler(asyncpg.InterfaceError)
    async def database(_: Request, error: Exception) -> Response:
        if not is_infrastructure(error):
            raise error
        return problem(503, f"try again: {type(error).__name__}", headers=RETRY)

    @app.exception_handler(OSError)
    async def gone(_: Request, error: OSError) -> Response:
        return problem(503, f"not accepted, try again: {type(error).__name__}", headers=RETRY)

    @app.exception_handler(ReturpostError)
    async def explained(_: Request, error: ReturpostError) -> Response:
        return problem(400, str(error))

    @app.exception_handler(StarletteHTTPException)  # FastAPI's own is one; routing and reading a body raise this
    async def refused(_: Request, error: StarletteHTTPException) -> Response:
        return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))
