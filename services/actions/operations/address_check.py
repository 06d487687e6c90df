"""Ingest validates the new address of a correction, with the caller's own token, before anything is stored.

Ingest has DNS with its cache and the list of misspelt domains; services meet by HTTP. When it is unavailable the
correction goes on, and the preview says that only the syntax was checked.
"""

from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from returpost.contracts import Validity

TIMEOUT = 10.0
"""Seconds; ingest gives up on DNS before that."""


class AddressCheck(BaseModel):
    """What ingest says about an address."""

    address: str | None
    validity: Validity
    reason: str | None
    problem: str | None
    suggestion: str | None = None
    role: bool | None = None
    disposable: bool | None = None


async def check_address(http: httpx.AsyncClient, authorization: str, address: str) -> AddressCheck:
    """Return what ingest says about an address."""
    headers = {"Authorization": authorization}
    try:
        answer = await http.post("/v1/validate", json={"addresses": [address]}, headers=headers, timeout=TIMEOUT)
        (found,) = answer.raise_for_status().json()["results"]
        return AddressCheck.model_validate(found)
    except (httpx.HTTPError, ValidationError, ValueError, KeyError, TypeError):
        return AddressCheck(
            address=address,
            validity=Validity.UNKNOWN,
            reason="not_checked",
            problem="it could not be checked now; its syntax is good",
        )


def errors_of(check: AddressCheck) -> list[dict[str, Any]]:
    """Return why an address is refused, as errors of a problem; nothing when it is not."""
    if check.validity != Validity.INVALID:
        return []
    return [{"field": "body.parameters.new", "problem": check.problem, "suggestion": check.suggestion}]
