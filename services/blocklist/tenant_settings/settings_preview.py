"""What a change of the settings would do, before it is saved: who would become blocked or free."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from returpost.contracts.addresses import domain_of
from services.blocklist.address_state.domain import Block, Facts, stand
from services.blocklist.tenant_settings.domain import Policy

SAMPLE = 50
MAX_DOMAINS = 1_000
"""Domains that are counted by themselves, those that come first by address; all others together."""
OTHERS = "(others)"


def compare(
    so_far: dict[str, Any], known: Iterable[tuple[str, Facts]], before: Policy, after: Policy, now: datetime
) -> dict[str, Any]:
    """Return what is known so far and of these addresses: counts by reason and domain, and a sample."""
    result = {name: dict(so_far.get(name, {})) for name in ("totals", "by_reason", "by_domain")}
    sample = list(so_far.get("sample", []))
    for address, facts in known:
        old, new = stand(facts, before, now).block, stand(facts, after, now).block
        block = old or new
        if block is None or (old and new):
            continue
        what = "freed" if old else "blocked"
        domain = domain_of(address)
        if domain not in result["by_domain"] and len(result["by_domain"]) >= MAX_DOMAINS:
            domain = OTHERS
        for where, name in (("totals", "all"), ("by_reason", _reason(block)), ("by_domain", domain)):
            counts = result[where].setdefault(name, {"blocked": 0, "freed": 0})
            counts[what] += 1
        if len(sample) < SAMPLE:
            sample.append({"address": address, "would_be": what, "cause": block.cause, "reason": block.reason})
    return {**result, "sample": sample}


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Return it as it is shown: the largest counts first."""
    totals = result.get("totals", {}).get("all", {"blocked": 0, "freed": 0})
    return {
        **totals,
        **{name: _sorted(result.get(name, {}), name.removeprefix("by_")) for name in ("by_reason", "by_domain")},
        "sample": result.get("sample", []),
    }


def _sorted(counts: dict[str, dict[str, int]], name: str) -> list[dict[str, Any]]:
    ordered = sorted(counts.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return [{name: key, **value} for key, value in ordered]


def _reason(block: Block) -> str:
    return block.reason.value if block.reason else block.cause.value
