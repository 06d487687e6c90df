"""The blocklist as a process of its own."""

import asyncio
import os
import signal
import sys

from deploy.local.processes import free_port
from tests.support.harness import TOKEN_KEY, Harness


class killed:  # noqa: N801 - reads as a context
    """The blocklist as a process of its own, killed at the end; gives the URL that it will answer at."""

    def __init__(self, harness: Harness) -> None:
        self._port = str(free_port())
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("RETURPOST_")} | {
            "RETURPOST_AMQP_URL": harness.amqp_url,
            "RETURPOST_DATABASE_URL": harness.database_urls["blocklist"],
            "RETURPOST_TOKEN_KEYS": TOKEN_KEY,
            "RETURPOST_HTTP_PORT": "0",
            "RETURPOST_BLOCKLIST_HTTP_PORT": self._port,
            "RETURPOST_BLOCKLIST_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
            "RETURPOST_BLOCKLIST_WEBHOOK_PLAIN_HTTP": "true",
            "RETURPOST_BLOCKLIST_WEBHOOK_LEASE": "PT1S",
            "RETURPOST_BLOCKLIST_WEBHOOK_INTERVAL": "PT0.1S",
            "RETURPOST_BLOCKLIST_IMPORT_INTERVAL": "PT0.1S",
        }

    async def __aenter__(self) -> str:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.blocklist.app", env=self._environment, stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self._process.stderr is not None
        while b'"ready"' not in (line := await self._process.stderr.readline()):
            assert line, "it ended"
        self._rest = asyncio.create_task(self._process.stderr.read())
        return f"http://127.0.0.1:{self._port}"

    async def __aexit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._rest
