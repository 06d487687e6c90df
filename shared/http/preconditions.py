"""Editing over HTTP: who says which version it saw never overwrites another's (RFC 9110 sections 8.8.3 and 13.1.1)."""

from typing import Annotated
from uuid import uuid4

from fastapi import Header, HTTPException

from returpost.contracts import ids

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=200, description="The ETag that was seen; refused with 412 when it is another"),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Who asks again with the same key, because no answer came, gets the same thing and no second one",
    ),
]


def etag(version: int) -> str:
    """Return the ETag of a version."""
    return f'"{version}"'


def check_version(seen: str | None, version: int | None) -> None:
    """Let an edit pass when it was made with this version in view; `version` is none of what does not exist.

    Raises HTTP 412.
    """
    if seen is None or (seen.strip() == "*" and version is not None):
        return
    if version is None or etag(version) not in {one.strip() for one in seen.split(",")}:
        raise HTTPException(412, "If-Match: it has changed since; read it again")


def identity_of(key: str | None, *parts: str) -> str:
    """Return the id of what is begun: the same for the same key of the same caller, else a new one."""
    return str(uuid4()) if key is None else ids.of_content(*parts, key)
