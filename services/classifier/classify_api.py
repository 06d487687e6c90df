"""HTTP: what a reply would be judged as, and why; which rules are in force."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from returpost.bounces.explain import explained
from returpost.contracts import Evidence, Name
from shared.http.auth import Caller, requires

router = APIRouter(prefix="/v1", tags=["classifier"])
Reader = Annotated[Caller, Depends(requires("read"))]
Tenant = Annotated[Name | None, Query()]
MAX_AT_ONCE = 1_000


class Classify(BaseModel):
    """What is to be judged: as the service gets it from ingest."""

    model_config = ConfigDict(extra="forbid")

    evidence: Annotated[list[Evidence], Field(min_length=1, max_length=MAX_AT_ONCE)]


@router.post("/classify")
def classify(request: Request, caller: Reader, asked: Classify, tenant: Tenant = None) -> dict[str, Any]:
    """Judge evidence by the tenant's rules; nothing is counted. `verdicts` are in the order of what was asked."""
    rules = request.app.state.rules.of(caller.tenant_for(tenant))
    return {"rules": rules.version, "verdicts": [explained(evidence, rules) for evidence in asked.evidence]}


@router.get("/rules")
async def rules_in_force(request: Request, caller: Reader, tenant: Tenant = None) -> dict[str, Any]:
    """The version in force, the rules that go first at first, and what is wrong with the files if they are not it."""
    book = request.app.state.rules
    rules = book.of(caller.tenant_for(tenant))
    listed = [
        {
            "rule": placed.name,
            "reason": placed.rule.reason,
            "precedence": placed.precedence,
            "source": placed.rule.source,
        }
        for placed in rules
    ]
    return {"rules": rules.version, "fault": book.fault, "list": listed}
