"""Why an address is blocked or not, in words and in all its facts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from asyncpg import Record

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.domain import Block, Standing
from services.blocklist.address_state.repository import Known
from services.blocklist.tenant_settings.domain import Effect, Policy

IMPORT: Final = "import-"
"""How a history names an import, where it names a mailing otherwise."""


def of_address(
    address: str,
    known: Known | None,
    row: Record | None,
    history: Sequence[Record],
    changes: Sequence[Record],
    policy: Policy,
    erased: datetime | None = None,
) -> dict[str, Any]:
    """Return what `GET /v1/addresses/{address}` answers."""
    standing = known.standing if known else Standing()
    block = standing.block
    facts = {name: value for name, value in (dict(row) if row else {}).items() if name != "version"}
    return {
        "address": address,
        "known": known is not None,
        "blocked": block is not None,
        "cause": block and block.cause,
        "reason": block and block.reason,
        "since": block and block.since,
        "until": block and block.until,
        "mailing": block and block.mailing,
        "return_count": standing.return_count,
        "accepted_bounces": policy.accepted_bounces,
        "erased_at": erased,
        "why": why(standing, known, policy, erased),
        **facts,
        "version": known.version if known else 0,
        "changes": [dict(change) for change in changes],
        "history": [_line(line, known, policy) for line in history],
    }


def why(standing: Standing, known: Known | None, policy: Policy, erased: datetime | None = None) -> str:
    """Say in one sentence why the address is skipped, or that it is not."""
    block, count = standing.block, standing.return_count
    if block is None and erased is not None:
        return f"Erased on {erased:%Y-%m-%d}: skipped until its bounce-flag is cleared."
    if known is None:
        return "Nothing is known of it: it may be mailed."
    if block is None:
        return f"Not blocked: {count} returned, {policy.accepted_bounces} accepted."
    return f"Blocked {_cause(block, known, f'{count} returned, {policy.accepted_bounces} accepted')}{_end(block)}."


def _cause(block: Block, known: Known, counted: str) -> str:
    mailing = block.mailing or ""
    imported = mailing.startswith(IMPORT)
    match block.cause:
        case BlockCause.MANUAL:
            return f"by {known.manual_by}{f': {known.manual_note}' if known.manual_note else ''}"
        case BlockCause.DEAD_ADDRESS:
            said = f"import {mailing.removeprefix(IMPORT)} says" if imported else f"mailing {mailing} bounced"
            return f"since {said}: {block.reason}"
        case BlockCause.COMPLAINT:
            said = f", says import {mailing.removeprefix(IMPORT)}" if imported else f" of mailing {mailing}"
            return f"since its owner complained{said}"
    return f"since mailing {mailing}: {counted}"


def _end(block: Block) -> str:
    return f", until {block.until:%Y-%m-%d %H:%M} UTC" if block.until else ""


def _line(line: Record, known: Known | None, policy: Policy) -> dict[str, Any]:
    effect = policy.effects[Reason(line["reason"])]
    if effect is Effect.BLOCK and not line["may_block"] and line["reason"] != Reason.COMPLAINT:
        effect = Effect.COUNT
    rest = {name: value for name, value in line.items() if name != "may_block"}
    return {**rest, "effect": effect, "settled_by": _settled(line["time"], effect, known)}


def _settled(time: datetime, effect: Effect, known: Known | None) -> str | None:
    """Say what came after it, so that it no longer holds."""
    if known is None or effect is Effect.IGNORE:
        return None
    if time <= known.facts.cleared:
        return "clear"
    return "delivery" if effect is Effect.COUNT and time <= known.facts.delivered else None
