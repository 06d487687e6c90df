"""A service as a process of its own, as it is deployed: with uvicorn, its limits and its loop."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import free_port
from tests.support.harness import TOKEN_KEY, Harness


@dataclass
class ServiceProcess:
    """Where it answers, and what it takes."""

    url: str
    pid: int

    def memory(self) -> int:
        """Return the bytes that it has in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")


@asynccontextmanager
async def service_process(
    harness: Harness, name: str, more: Mapping[str, str] | None = None
) -> AsyncIterator[ServiceProcess]:
    """Run a service until the block ends; then it is killed."""
    port = str(free_port())
    own = f"RETURPOST_{name.upper()}_"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RETURPOST_")} | {
        "RETURPOST_AMQP_URL": harness.amqp_url,
        "RETURPOST_TOKEN_KEYS": TOKEN_KEY,
        f"{own}HTTP_PORT": port,
        **(more or {}),
    }
    if name in harness.database_urls:
        environment[f"{own}DATABASE_URL"] = harness.database_urls[name]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{name}.app", env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        while b"Uvicorn running" not in (line := await process.stderr.readline()):  # it says "ready" before it listens
            assert line, f"{name} ended"
        rest = asyncio.create_task(process.stderr.read())
        yield ServiceProcess(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()
        await process.wait()
    await rest
