"""From what is asked for to a frozen set with its preview, and from the preview's token to a queued operation."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from returpost.contracts import Operation
from services.actions import store as actions_store
from services.actions.operations import states, store
from services.actions.operations.chosen import Chosen, Source, source
from services.actions.operations.kinds import KINDS
from services.actions.operations.model import Kind, Parameters, Refused, Running
from services.actions.operations.store import Q
from shared.messaging.unit_of_work import UnitOfWork

SAMPLE = 10
FREEZING = 600.0
"""Seconds that the freezing of a set may take; a million rows take about ten."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for."""

    id: str
    tenant: str
    operation: Operation
    chosen: Chosen
    parameters: Parameters
    by: str
    note: str
    time: datetime

    @property
    def kind(self) -> Kind:
        return KINDS[self.operation]

    def digest(self) -> str:
        """Return what two requests for the same have in common."""
        parts = (self.operation, self.chosen.model_dump_json(), self.parameters.model_dump_json(), self.note)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


class Changed(Refused):
    """What is confirmed is not what was previewed."""


async def freeze(work: UnitOfWork, request: Request) -> Running:
    """Write the operation and its rows, unless it is there already. Raises `Refused` for parameters that cannot be."""
    kind = request.kind
    if kind.check is not None:
        await kind.check(work, request.tenant, request.parameters)
    chosen, parameters = request.chosen.without_addresses(), request.parameters.model_dump(mode="json")
    no = await work.connection.fetchval(
        Q["begin"], request.tenant, request.id, request.operation.value, request.chosen.mailing(), request.by,
        request.note, request.time, json.dumps(parameters), json.dumps(chosen), request.digest(),
    )  # fmt: skip
    if no is not None:
        await _freeze_rows(
            work, request.tenant, no, kind, source(request.chosen, request.tenant, recipients=kind.recipients)
        )
    row = await store.one(work.connection, "stored", request.tenant, request.id)
    if row["asked"] != request.digest():
        raise Changed("Idempotency-Key: it was used before, to ask for something else")
    return store.running(row)


async def _freeze_rows(work: UnitOfWork, tenant: str, no: int, kind: Kind, rows: Source) -> None:
    await actions_store.erased(work.connection, ())  # no erasure may come in between
    statement = f"""
        INSERT INTO operation_rows (operation, seq, address, mailing, outcome, why)
        SELECT $1, row_number() OVER (ORDER BY c.address, c.mailing) - 1, c.address, c.mailing,
               CASE WHEN w.why IS NOT NULL THEN 'skipped' END, w.why
        FROM ({rows.sql}) AS c CROSS JOIN LATERAL (SELECT {kind.skip} AS why OFFSET 0) AS w WHERE $2::text IS NOT NULL
    """  # noqa: S608 - both are constants of this package; OFFSET 0: else it is asked twice
    await work.connection.execute(statement, no, tenant, *rows.arguments, timeout=FREEZING)
    await work.connection.execute(Q["cut"], no, kind.size or 2**31 - 1, timeout=FREEZING)
    if kind.most is not None and (await store.progress(work.connection, no))["total"] > kind.most:
        raise Refused(f"chosen: this operation is over {kind.most} address, not several")


async def token_of(work: UnitOfWork, operation: Running) -> str:
    """Return the digest of an operation and of its rows as they are now."""
    row = await store.one(work.connection, "digest", operation.no, patience=FREEZING)
    parts = (
        operation.id,
        operation.operation,
        json.dumps(operation.parameters, sort_keys=True),
        json.dumps(operation.chosen, sort_keys=True),
        row["rows"],
        row["sum"],
    )
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


async def look(work: UnitOfWork, operation: Running) -> dict[str, Any]:
    """Return the preview: how many rows, how many of them are going to be skipped and why, and some of each."""
    counted = await store.progress(work.connection, operation.no)
    skipped = await work.connection.fetch(Q["skipped"], operation.no)
    sample = await work.connection.fetch(Q["sample"], operation.no, operation.tenant, SAMPLE)
    number = sum(row["count"] for row in skipped)
    return {
        "id": operation.id,
        "operation": operation.operation,
        "state": operation.state,
        "parameters": operation.parameters,
        "chosen": operation.chosen,
        "rows": counted["total"],
        "to_do": counted["total"] - number,
        "skipped": [{"why": row["why"], "rows": row["count"]} for row in skipped],
        "sample": [_shown(row) for row in sample],
        "can_be_undone": KINDS[operation.operation].undo is not None,
        "token": await token_of(work, operation),
    }


def _shown(row: Any) -> dict[str, Any]:
    shown = dict(row)
    del shown["seq"], shown["outcome"]
    return shown | {"skipped": shown.pop("why")}


async def confirm(
    work: UnitOfWork, operation: Running, token: str, by: str, time: datetime, grace: timedelta
) -> Running:
    """Queue what was previewed. Raises `Changed` when it is no longer that; once begun, there is nothing to confirm."""
    if not states.confirm(operation.state):
        return operation
    if token != await token_of(work, operation):
        raise Changed("token: this is not what was previewed, or the rows have changed since; preview again")
    return await queue(work, operation, by, time, grace)


async def queue(work: UnitOfWork, operation: Running, by: str, time: datetime, grace: timedelta) -> Running:
    """Have a previewed operation begin, now or after the grace, and note it in the audit."""
    due = time + (grace if operation.operation is Operation.DELETE_ADDRESSES else timedelta())
    row = await store.one(work.connection, "confirm", operation.no, by, time, due)
    counted = await store.progress(work.connection, operation.no)
    await work.connection.execute(
        Q["add_audit"], operation.tenant, time, by, operation.operation.value, counted["total"], operation.note,
        operation.id, row["chosen"],
    )  # fmt: skip
    return store.running(row)
