"""Has files of exports made by a process of their own, one after another, and says how far they are.

Whoever makes a file says so every second. One that is silent has died: somebody else makes it from the start, as
another run, and what the dead one left is removed.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from pydantic import SecretStr

from services.actions.exports.formats import CONTENT_TYPES, Format
from services.actions.exports.process import Q
from services.actions.operations import store
from services.actions.operations.answers import settle
from services.actions.operations.model import Running
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWorkFactory

BEAT_SECONDS = 1.0
LINE = 64 * 1024

log = structlog.get_logger()


async def make_next(
    pool: Pool, uow_factory: UnitOfWorkFactory, database_url: SecretStr | None, patience: timedelta
) -> bool:
    """Make the file of one export; tells whether there was one to make."""
    run = uuid4()
    async with pool.acquire() as connection, connection.transaction():
        no = await connection.fetchval(Q["claim"], datetime.now(UTC) - patience, str(run))
        if no is None:
            await connection.execute(Q["abandon"])
            return False
        operation = await store.share(connection, no)
    try:
        made = await _run(pool, operation, run, database_url)
    except BaseException:
        await pool.execute(Q["drop"], no, run)
        raise
    if made is None:
        await pool.execute(Q["drop"], no, run)
        return True
    async with uow_factory.begin() as work:
        kept = await work.connection.fetchval(Q["beat"], no, str(run), made["rows"])
        if kept is not None:
            await work.connection.execute(Q["drop_others"], no, run)
            await work.connection.execute(Q["finish"], no, json.dumps({"file": _file(operation, run, made)}))
            await settle(work, [str(run)])
    if kept is None:
        await pool.execute(Q["drop"], no, run)
    return True


async def _run(pool: Pool, operation: Running, run: UUID, database_url: SecretStr | None) -> dict[str, Any] | None:
    """Run the process; return what it says of the file, or nothing when the file is no longer wanted.

    Raises `RuntimeError` when the process ends without a file.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.actions.exports.process",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE,
    )  # fmt: skip
    told = operation.parameters | {"operation": operation.no, "tenant": operation.tenant, "run": str(run)}
    told["database_url"] = database_url and database_url.get_secret_value()
    try:
        given, said = process.stdin, process.stdout
        if given is None or said is None:
            raise RuntimeError("the process of an export has no pipes")
        given.write(json.dumps(told).encode() + b"\n")
        await given.drain()
        return await _follow(pool, operation, run, said)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _follow(pool: Pool, operation: Running, run: UUID, output: asyncio.StreamReader) -> dict[str, Any] | None:
    rows = 0
    line = asyncio.ensure_future(output.readline())
    try:
        while True:
            done, _ = await asyncio.wait({line}, timeout=BEAT_SECONDS)
            if done:
                if not line.result():
                    raise RuntimeError("the process of an export ended without a file")
                said = json.loads(line.result())
                if "file" in said:
                    return dict(said["file"])
                rows = said["rows"]
                line = asyncio.ensure_future(output.readline())
            if await pool.fetchval(Q["beat"], operation.no, str(run), rows) is None:
                return None
    finally:
        line.cancel()


def _file(operation: Running, run: UUID, made: dict[str, Any]) -> dict[str, Any]:
    format_ = Format(operation.parameters["format"])
    name = operation.parameters["name"] or f"returpost-{operation.time:%Y-%m-%d-%H%M}"
    return made | {
        "name": f"{name}.{format_.value}",
        "type": CONTENT_TYPES[format_],
        "run": str(run),
        "compressed": format_ is not Format.EXCEL,
    }
