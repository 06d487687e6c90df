"""HTTP: what a reply would be classified as, and why; which rules are loaded."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from returpost.bounces.explain import explained
from returpost.contracts import Evidence, Reason, Verdict
from shared.http.dependencies import Reader, Tenant
from shared.http.pagination import Page

router = APIRouter(prefix="/v1", tags=["classifier"])
MAX_EVIDENCE = 1_000
"""Replies per request."""


class ClassifyRequest(BaseModel):
    """Replies to classify: evidence as the service gets it from ingest."""

    model_config = ConfigDict(extra="forbid")

    evidence: Annotated[list[Evidence], Field(min_length=1, max_length=MAX_EVIDENCE)]


class RunnerUp(BaseModel):
    """A rule that matched and did not decide."""

    rule: str
    reason: Reason
    text: str
    confidence: float


class ExplainedVerdict(Verdict):
    """A verdict with the rules that lost against the one that decided."""

    runners_up: list[RunnerUp]


class ClassifyResponse(BaseModel):
    """Verdicts in the order of the evidence, and the version of the rules that made them."""

    rules: str
    verdicts: list[ExplainedVerdict]


class LoadedRule(BaseModel):
    """One rule; a higher precedence wins."""

    rule: str
    reason: Reason
    precedence: int
    source: str


class LoadedRules(Page[LoadedRule]):
    """The loaded rules, highest precedence first, and what is wrong with the files if they could not be loaded."""

    rules: str
    """Their version."""
    fault: str | None


@router.post("/classify")
def classify(request: Request, caller: Reader, body: ClassifyRequest, tenant: Tenant = None) -> ClassifyResponse:
    """Classify evidence by the tenant's rules; nothing is counted."""
    rules = request.app.state.rules.of(caller.tenant_for(tenant))
    verdicts = [ExplainedVerdict.model_validate(explained(evidence, rules)) for evidence in body.evidence]
    return ClassifyResponse(rules=rules.version, verdicts=verdicts)


@router.get("/rules")
async def loaded_rules(request: Request, caller: Reader, tenant: Tenant = None) -> LoadedRules:
    """Return the rules of the tenant, highest precedence first."""
    registry = request.app.state.rules
    rules = registry.of(caller.tenant_for(tenant))
    items = [
        LoadedRule(rule=r.name, reason=r.rule.reason, precedence=r.precedence, source=r.rule.source) for r in rules
    ]
    return LoadedRules(items=items, rules=rules.version, fault=registry.fault)
