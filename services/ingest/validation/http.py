"""HTTP: is this a good address?"""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from shared.http.auth import Caller, requires

MAX_ADDRESSES = 10_000
MAX_CHARACTERS = 1_000

router = APIRouter(prefix="/v1", tags=["ingest"])
Checker = Annotated[Caller, Depends(requires("check"))]


class ValidationRequest(BaseModel):
    """Addresses as somebody wrote them."""

    addresses: Annotated[
        list[Annotated[str, Field(max_length=MAX_CHARACTERS)]], Field(min_length=1, max_length=MAX_ADDRESSES)
    ]


@router.post("/validate")
async def validate(request: Request, _: Checker, asked: ValidationRequest) -> dict[str, list[dict[str, Any]]]:
    """Check new addresses: syntax, whether the domain takes mail, a suggestion for a likely slip, role, disposable.

    In the order in which they were given. `unknown` means that DNS did not answer: ask again later.
    """
    findings = await request.app.state.validator.validate(asked.addresses)
    return {"results": [asdict(finding) for finding in findings]}
