"""Has the files of exports written by subprocesses, one after another, and reports progress.

A worker reports every second. One that is silent has died: another one writes the file from the start, as another run,
and the pieces that the dead one left are deleted.
"""

import asyncio
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from services.actions.operations.domain import StoredOperation
from services.actions.operations.exports import repository
from services.actions.operations.exports.formats import CONTENT_TYPES, Format
from services.actions.operations.exports.repository import Run
from services.actions.operations.handlers import settle
from services.actions.operations.repository import operations
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWorkFactory

BEAT_SECONDS = 1.0
MAX_LINE = 64 * 1024
NO_NAME = re.compile(r"[^\w .()-]")
"""What no name of a file holds."""
MAX_NAME = 80


async def write_next_file(
    pool: Pool, uow_factory: UnitOfWorkFactory, database_url: SecretStr | None, silence: timedelta
) -> bool:
    """Write the file of one export; tells whether there was one. A worker silent for longer than `silence` is dead."""
    async with pool.acquire() as connection, connection.transaction():
        identity = uuid4()
        no = await repository.claim(connection, datetime.now(UTC) - silence, identity)
        if no is None:
            await repository.settle_cancelled(connection)
            return False
        operation = await operations.lock_shared(connection, no)
    run = Run(no, identity)
    try:
        written = await _run(pool, operation, run, database_url)
    except BaseException:
        await repository.delete_pieces(pool, run)
        raise
    if written is None or not await _finish(uow_factory, operation, run, written):
        await repository.delete_pieces(pool, run)
    return True


async def _finish(
    uow_factory: UnitOfWorkFactory, operation: StoredOperation, run: Run, written: dict[str, Any]
) -> bool:
    """Settle the operation with its file; false when the run lost its claim meanwhile."""
    async with uow_factory.begin() as work:
        if not await repository.beat(work.connection, run, written["rows"]):
            return False
        await repository.finish(work.connection, run, _file(operation, run, written))
        await settle(work, [str(run.id)])
    return True


async def _run(
    pool: Pool, operation: StoredOperation, run: Run, database_url: SecretStr | None
) -> dict[str, Any] | None:
    """Run the subprocess; return what it reports of the file, or nothing when the file is no longer wanted.

    Raises `RuntimeError` when it ends without a file.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.actions.operations.exports.subprocess",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MAX_LINE,
    )  # fmt: skip
    order = operation.parameters | {"operation": operation.no, "tenant": operation.tenant, "run": str(run.id)}
    order["database_url"] = database_url and database_url.get_secret_value()
    try:
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the subprocess of an export has no pipes")
        stdin.write(json.dumps(order).encode() + b"\n")
        await stdin.drain()
        return await _follow(pool, run, stdout)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _follow(pool: Pool, run: Run, output: asyncio.StreamReader) -> dict[str, Any] | None:
    rows = 0
    line = asyncio.ensure_future(output.readline())
    try:
        while True:
            done, _ = await asyncio.wait({line}, timeout=BEAT_SECONDS)
            if done:
                if not line.result():
                    raise RuntimeError("the subprocess of an export ended without a file")
                report = json.loads(line.result())
                if "file" in report:
                    return dict(report["file"])
                rows = report["rows"]
                line = asyncio.ensure_future(output.readline())
            if not await repository.beat(pool, run, rows):
                return None
    finally:
        line.cancel()


def _file(operation: StoredOperation, run: Run, written: dict[str, Any]) -> dict[str, Any]:
    format_ = Format(operation.parameters["format"])
    local = operation.time.astimezone(ZoneInfo(operation.parameters["time_zone"]))
    target = operation.target
    mailing = (target.get("filter") or {}).get("mailing") or target.get("returned_in") or "returpost"
    name = operation.parameters["name"] or f"{NO_NAME.sub('_', mailing)[:MAX_NAME]} {local:%Y-%m-%d %H.%M}"
    return written | {
        "name": f"{name}.{format_.value}",
        "type": CONTENT_TYPES[format_],
        "run": str(run.id),
        "compressed": format_ is not Format.EXCEL,
    }
