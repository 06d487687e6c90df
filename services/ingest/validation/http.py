"""HTTP: is this a good address?"""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts import Validity
from shared.http.dependencies import Checker

MAX_ADDRESSES = 10_000
MAX_CHARACTERS = 1_000

router = APIRouter(prefix="/v1", tags=["ingest"])


class ValidationRequest(BaseModel):
    """Addresses as somebody wrote them."""

    addresses: Annotated[
        list[Annotated[str, Field(max_length=MAX_CHARACTERS)]], Field(min_length=1, max_length=MAX_ADDRESSES)
    ]


class FindingDetails(BaseModel):
    """What was found of one address."""

    given: str
    address: str
    """Normalised, or what was given when it is no address."""
    validity: Validity
    """`unknown` means that DNS did not answer: ask again later."""
    reason: str | None
    """`syntax`, `domain_unknown`, `no_mail_host`, `not_accepting` or `dns_trouble`."""
    problem: str | None
    """The same for people."""
    suggestion: str | None
    """What was probably meant."""
    role: bool
    """Stands for a function, such as `postmaster`."""
    disposable: bool
    score: float
    """From 0 to 1: how far a mail to it is expected to reach the person who gave it."""


class ValidationAnswer(BaseModel):
    """A finding for each address, in the order in which they were given."""

    results: list[FindingDetails]


@router.post("/validate")
async def validate(request: Request, _: Checker, asked: ValidationRequest) -> ValidationAnswer:
    """Check new addresses: syntax, whether the domain takes mail, a suggestion for a likely slip, role, disposable."""
    findings = await request.app.state.validator.validate(asked.addresses)
    return ValidationAnswer(results=[FindingDetails.model_validate(one, from_attributes=True) for one in findings])
