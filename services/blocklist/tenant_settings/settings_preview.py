"""What a change of the settings would do, before it is saved: who would become blocked or free."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from returpost.contracts.addresses import domain_of
from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.domain import Block, Facts, evaluate
from services.blocklist.tenant_settings.domain import Policy

SAMPLE = 50
MAX_DOMAINS = 1_000
"""Domains that are counted by themselves, those that come first by address; all others together."""
OTHERS = "(others)"


class ReasonCount(BaseModel):
    """Addresses that would change, by reason (or cause, where there is no reason)."""

    reason: str
    blocked: int
    freed: int


class DomainCount(BaseModel):
    """Addresses that would change, by domain."""

    domain: str
    blocked: int
    freed: int


class SampleAddress(BaseModel):
    """One address that would change."""

    address: str
    would_be: Literal["blocked", "freed"]
    cause: BlockCause
    reason: Reason | None


class SettingsPreview(BaseModel):
    """Whom a change would block or free; the largest counts first."""

    blocked: int
    freed: int
    by_reason: list[ReasonCount]
    by_domain: list[DomainCount]
    sample: list[SampleAddress]


def compare(
    so_far: dict[str, Any], known: Iterable[tuple[str, Facts]], before: Policy, after: Policy, now: datetime
) -> dict[str, Any]:
    """Return what is known so far and of these addresses: counts by reason and domain, and a sample."""
    result = {name: dict(so_far.get(name, {})) for name in ("totals", "by_reason", "by_domain")}
    sample = list(so_far.get("sample", []))
    for address, facts in known:
        old, new = evaluate(facts, before, now).block, evaluate(facts, after, now).block
        block = old or new
        if block is None or (old and new):
            continue
        would_be = "freed" if old else "blocked"
        domain = domain_of(address)
        if domain not in result["by_domain"] and len(result["by_domain"]) >= MAX_DOMAINS:
            domain = OTHERS
        for table, name in (("totals", "all"), ("by_reason", _reason(block)), ("by_domain", domain)):
            counts = result[table].setdefault(name, {"blocked": 0, "freed": 0})
            counts[would_be] += 1
        if len(sample) < SAMPLE:
            sample.append({"address": address, "would_be": would_be, "cause": block.cause, "reason": block.reason})
    return {**result, "sample": sample}


def summary(result: dict[str, Any]) -> SettingsPreview:
    """Return it as it is shown: the largest counts first."""
    totals = result.get("totals", {}).get("all", {"blocked": 0, "freed": 0})
    return SettingsPreview(
        **totals,
        by_reason=[ReasonCount(reason=name, **counts) for name, counts in _largest_first(result.get("by_reason", {}))],
        by_domain=[DomainCount(domain=name, **counts) for name, counts in _largest_first(result.get("by_domain", {}))],
        sample=result.get("sample", []),
    )


def _largest_first(counts: dict[str, dict[str, int]]) -> list[tuple[str, dict[str, int]]]:
    return sorted(counts.items(), key=lambda item: (-sum(item[1].values()), item[0]))


def _reason(block: Block) -> str:
    return block.reason.value if block.reason else block.cause.value
