"""Why an address is blocked or not, in words and in all its facts."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel, Field

from returpost.contracts.enums import BlockCause, Fault, Reason, UnblockCause
from services.blocklist.address_state.domain import NEVER, AddressState, Block, Bounce, blocks_at_once
from services.blocklist.address_state.records import AddressRecord
from services.blocklist.address_state.repository.views import AddressView
from services.blocklist.tenant_settings.domain import Effect, Policy

IMPORT: Final = "import-"
"""How a history names an import, where it names a mailing otherwise."""
SettledBy = Literal["clear", "delivery", "subscription"]


class LogLine(BaseModel):
    """One block or lift."""

    at: datetime
    blocked: bool
    cause: BlockCause | UnblockCause
    reason: Reason | None
    subject: Annotated[str | None, Field(description="The mailing, import or operation")]
    until: datetime | None
    by: str
    note: str
    version: int
    rule: Annotated[str | None, Field(description="That judged the bounce")]
    settings_version: Annotated[int | None, Field(description="Of the settings in force at that time")]


class HistoryLine(BaseModel):
    """One bounce or complaint."""

    id: UUID
    time: datetime
    mailing: str
    reason: Reason
    fault: Fault
    rule: str
    status: str | None
    text: str
    confidence: float | None
    stream: str | None = None
    effect: Annotated[Effect, Field(description="What it does by the settings in force now")]
    settled_by: Annotated[SettledBy | None, Field(description="What came after it and ended that")]


class DomainHeld(BaseModel):
    """The block of a whole domain that holds for an address."""

    domain: Annotated[str, Field(description="`example.com`, or `*.example.com`: all its subdomains")]
    since: datetime
    until: datetime | None
    by: str
    note: str


class AddressExplanation(BaseModel):
    """All that is known of one address, and what follows from it."""

    address: str
    known: bool
    blocked: bool
    cause: BlockCause | None
    causes: Annotated[list[BlockCause], Field(description="Every cause that holds, the one reported first")]
    streams: Annotated[list[str], Field(description="Streams that skip it; empty: all but the exempt ones")]
    exempt_streams: Annotated[list[str], Field(description="Streams that may mail it all the same")]
    reason: Reason | None
    since: datetime | None
    until: datetime | None
    mailing: str | None
    return_count: int
    accepted_bounces: int
    erased_at: datetime | None
    domain_block: Annotated[DomainHeld | None, Field(description="The block of its whole domain, where one holds")]
    why: Annotated[str, Field(description="In one sentence")]
    last_delivered: datetime | None = None
    last_clear: datetime | None = None
    cleared_by: str | None = None
    clear_note: str | None = None
    manual_at: datetime | None = None
    manual_by: str | None = None
    manual_note: str | None = None
    former_at: datetime | None = None
    former_lifted_at: datetime | None = None
    former_by: str | None = None
    former_note: str | None = None
    version: int
    changes: Annotated[list[LogLine], Field(description="Blocks and lifts, newest first")]
    history: Annotated[list[HistoryLine], Field(description="Bounces and complaints, newest first")]


def of_address(address: str, view: AddressView) -> AddressExplanation:
    """Return all that is known of an address, and what follows from it."""
    record, policy = view.record, view.policy
    state = record.state if record else AddressState()
    block = state.block
    held = DomainHeld(**view.domain_block) if view.domain_block else None
    causes = [*(block.causes if block else ()), *((BlockCause.DOMAIN,) if held else ())]
    facts = {name: value for name, value in (dict(view.row) if view.row else {}).items() if name != "version"}
    return AddressExplanation(
        address=address,
        known=record is not None,
        blocked=bool(causes),
        cause=causes[0] if causes else None,
        causes=causes,
        streams=list(block.streams) if block else [],
        exempt_streams=list(block.exempt_streams) if block else [],
        reason=block and block.reason,
        since=block.since if block else held and held.since,
        until=block.until if block else held and held.until,
        mailing=block and block.mailing,
        return_count=state.return_count,
        accepted_bounces=policy.accepted_bounces,
        erased_at=view.erased_at,
        domain_block=held,
        why=why(state, record, policy, view.erased_at, held),
        **facts,
        version=record.version if record else 0,
        changes=[LogLine(**row) for row in view.log],
        history=[_line(row, record, policy) for row in view.history],
    )


def why(
    state: AddressState,
    record: AddressRecord | None,
    policy: Policy,
    erased: datetime | None = None,
    held: DomainHeld | None = None,
) -> str:
    """Say in one sentence why the address is skipped, or that it is not."""
    block, count = state.block, state.return_count
    if block is None and held is not None:
        return f"Blocked since its domain is ({held.domain}), by {held.by}: {held.note}{_end(held)}."
    if block is None and erased is not None:
        return f"Erased on {erased:%Y-%m-%d}: skipped until its bounce-flag is cleared."
    if record is None:
        return "No bounce of it counts: it may be mailed."
    if block is None:
        return f"Not blocked: {count} returned, {policy.accepted_bounces} accepted."
    scope = f" in {', '.join(block.streams)}" if block.streams else ""
    cause = _cause(block, record, f"{count} returned, {policy.accepted_bounces} accepted")
    also = [*block.also, *((f"domain {held.domain}",) if held else ())]
    others = f"; also: {', '.join(also)}" if also else ""
    return f"Blocked{scope} {cause}{_end(block)}{others}."


def _cause(block: Block, record: AddressRecord, counted: str) -> str:
    mailing = block.mailing or ""
    imported = mailing.startswith(IMPORT)
    match block.cause:
        case BlockCause.MANUAL:
            return f"by {record.manual_by}{f': {record.manual_note}' if record.manual_note else ''}"
        case BlockCause.FORMER_EMPLOYEE:
            return f"since all whose address it is have left{f', says {record.former_by}' if record.former_by else ''}"
        case BlockCause.UNSUBSCRIBED:
            return f"since its owner unsubscribed{f' from mailing {mailing}' if mailing and not imported else ''}"
        case BlockCause.DEAD_ADDRESS:
            said = f"import {mailing.removeprefix(IMPORT)} says" if imported else f"mailing {mailing} bounced"
            return f"since {said}: {block.reason}"
        case BlockCause.COMPLAINT:
            said = f", says import {mailing.removeprefix(IMPORT)}" if imported else f" of mailing {mailing}"
            return f"since its owner complained{said}"
    return f"since mailing {mailing}: {counted}"


def _end(block: Block | DomainHeld) -> str:
    return f", until {block.until:%Y-%m-%d %H:%M} UTC" if block.until else ""


def _line(row: Record, record: AddressRecord | None, policy: Policy) -> HistoryLine:
    values: dict[str, Any] = dict(row)
    may_block, confidence = values.pop("may_block"), values["confidence"]
    reason = Reason(row["reason"])
    if reason is Reason.UNSUBSCRIBE:
        subscribed = record is not None and _subscribed(row, record)
        return HistoryLine(**values, effect=Effect.BLOCK, settled_by="subscription" if subscribed else None)
    effect = policy.effects[reason]
    bounce = Bounce(
        row["mailing"], reason, row["time"], may_block, confidence=1.0 if confidence is None else confidence
    )
    if effect is Effect.BLOCK and reason is not Reason.COMPLAINT and not blocks_at_once(bounce, policy):
        effect = Effect.COUNT
    return HistoryLine(**values, effect=effect, settled_by=_settled(row["time"], effect, record))


def _subscribed(row: Record, record: AddressRecord) -> bool:
    subscriptions = record.facts.subscriptions
    return bool(max(subscriptions.get(None, NEVER), subscriptions.get(row["stream"], NEVER)) > row["time"])


def _settled(time: datetime, effect: Effect, record: AddressRecord | None) -> Literal["clear", "delivery"] | None:
    """Return what came after it, so that it no longer holds."""
    if record is None or effect is Effect.IGNORE:
        return None
    if time <= record.facts.cleared:
        return "clear"
    return "delivery" if effect is Effect.COUNT and time <= record.facts.delivered else None
