"""The command line as it is typed, against services of a test; and what the runbooks say is to be typed."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from deploy.local.processes import free_port
from returpost.cli.installation import PORTS
from tests.project.source_tree import ROOT
from tests.support.harness import eventually

BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Return what a runbook says is to be typed, in its order."""
    text = (ROOT / "docs/runbooks" / page).read_text()
    return [line.strip() for block in BLOCK.findall(text) for line in block.splitlines() if line.strip()]


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application that runs already; the command line needs a port."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="critical"))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: asyncio.sleep(0, server.started))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


class CommandLine:
    """Types commands of `returpost`, each as a process of its own."""

    def __init__(
        self, urls: Mapping[str, str], token: str, folder: Path, more: Mapping[str, str] | None = None
    ) -> None:
        """`urls` are those of the services that run; the others are away."""
        self.folder = folder
        away = dict.fromkeys(PORTS, "http://127.0.0.1:1")
        named = {f"RETURPOST_{name.upper()}_URL": url for name, url in {**away, **urls}.items()}
        self.environment = {
            **os.environ, "RETURPOST_TOKEN": token, "COLUMNS": "250", "RETURPOST_DIR": str(folder / "home"),
            "PYTHONPATH": str(ROOT), **named, **(more or {}),
        }  # fmt: skip

    async def run(self, line: str, code: int = 0) -> str:
        """Type a command; return what it writes, if it ends with this exit code."""
        program, *arguments = shlex.split(line)
        assert program == "returpost", line
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "returpost", *arguments, env=self.environment, cwd=self.folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode == code, f"{line}: {process.returncode}\n{out.decode()}"
        return out.decode()
