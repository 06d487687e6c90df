"""Whole domains: block them, lift that, look one up."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from returpost.contracts import DomainPattern, Note, Time
from returpost.contracts.domains import WILDCARD, normalise_pattern, patterns_of
from returpost.contracts.enums import UnblockCause
from returpost.errors import InvalidMessage
from services.blocklist.checks.domains import handlers, repository
from services.blocklist.checks.domains.repository import Command
from shared.http.dependencies import Reader, Tenant, Writer
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

MAX_PAST = 1_000

router = APIRouter(prefix="/domain-blocks")


class DomainsCommand(BaseModel):
    """Domains (`example.com`), and patterns of subdomains (`*.example.com`: all of them, and not itself)."""

    domains: Annotated[list[DomainPattern], Field(min_length=1, max_length=1_000)]
    note: Annotated[Note, Field(min_length=1, max_length=1_000, description="Why, for the history")]


class DomainBlockCommand(DomainsCommand):
    """Domains to block, for a while or until that is lifted."""

    until: Time | None = None


class AcceptedDomains(BaseModel):
    """The command was taken."""

    domains: int


class DomainBlockOut(BaseModel):
    """A block in force."""

    domain: str
    since: datetime
    until: datetime | None
    by: str
    note: str
    version: int


class PastDomainBlock(BaseModel):
    """A block, and how it ended."""

    domain: str
    since: datetime
    until: datetime | None
    by: str
    note: str
    lifted_at: datetime | None
    lifted_by: str | None
    lift_note: str | None
    lift_cause: UnblockCause | None


class DomainDetail(BaseModel):
    """Whether mailings skip the addresses of a domain, and all that was said of it."""

    domain: str
    blocked: bool
    pattern: Annotated[str | None, Field(description="The domain, or the pattern that it is blocked by")]
    since: datetime | None
    until: datetime | None
    by: str | None
    note: str | None
    history: Annotated[list[PastDomainBlock], Field(description="Blocks of it and of its patterns, newest first")]


@router.post("", status_code=202)
async def block_domains(
    request: Request, caller: Writer, command: DomainBlockCommand, tenant: Tenant = None
) -> AcceptedDomains:
    """Block whole domains, until a time or until it is lifted; checks, mirrors and feeds know it at once."""
    owner, state = caller.tenant_for(tenant), request.app.state
    now = state.clock()
    if command.until is not None and command.until <= now:
        raise InvalidMessage("until: is over already")
    domains = sorted(set(command.domains))
    async with state.service.uow_factory.begin() as work:
        await handlers.block(work, Command(owner, domains, now, caller.name, command.note), command.until)
    return AcceptedDomains(domains=len(domains))


@router.post("/lift", status_code=202)
async def lift_domains(
    request: Request, caller: Writer, command: DomainsCommand, tenant: Tenant = None
) -> AcceptedDomains:
    """Lift blocks of domains, each as it was named; what blocks an address for itself stays."""
    owner, state = caller.tenant_for(tenant), request.app.state
    domains = sorted(set(command.domains))
    async with state.service.uow_factory.begin() as work:
        await handlers.lift(work, Command(owner, domains, state.clock(), caller.name, command.note))
    return AcceptedDomains(domains=len(domains))


@router.get("")
async def list_domain_blocks(
    request: Request, caller: Reader, cursor: Cursor = None, limit: Limit = 100, tenant: Tenant = None
) -> Page[DomainBlockOut]:
    """The blocks of domains in force, by domain."""
    after = decode_cursor(cursor, str)[0] or "" if cursor else ""
    rows = await repository.page(request.app.state.service.pool, caller.tenant_for(tenant), after, limit)
    return Page(items=[DomainBlockOut(**row) for row in rows], next_cursor=next_cursor(rows, limit, "domain"))


@router.get("/{domain}")
async def get_domain(
    request: Request, caller: Reader, domain: Annotated[str, Path(max_length=300)], tenant: Tenant = None
) -> DomainDetail:
    """Whether the addresses of a domain, or of a pattern of subdomains, are skipped, and why."""
    asked, owner, state = normalise_pattern(domain), caller.tenant_for(tenant), request.app.state
    wildcard = asked.startswith(WILDCARD)
    # Subdomains are skipped by their own pattern and by those of what is above.
    patterns = [asked, *patterns_of(asked.removeprefix(WILDCARD))[1:]] if wildcard else patterns_of(asked)
    holding = await repository.closest(state.service.pool, owner, patterns, state.clock())
    past = await repository.past(state.service.pool, owner, patterns, MAX_PAST)
    found = dict(holding) if holding else dict.fromkeys(("domain", "since", "until", "by", "note"))
    pattern = found.pop("domain")
    history = [PastDomainBlock(**row) for row in past]
    return DomainDetail(domain=asked, blocked=holding is not None, pattern=pattern, **found, history=history)
