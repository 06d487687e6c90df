"""Several RabbitMQ nodes on this machine as one cluster: own ports, data and names, one folder."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.local.processes import free_port, kill, processes_with
from deploy.local.rabbitmq import Member, RabbitNode
from returpost.errors import Unavailable


class Cluster:
    """The nodes by name (`rabbit1@localhost`, ...); each can be stopped, killed and started by itself."""

    def __init__(self, folder: Path, binaries: Path, size: int = 3) -> None:
        self._binaries = binaries
        self._epmd = free_port()
        names = tuple(f"rabbit{number}@localhost" for number in range(1, size + 1))
        self.nodes = {
            name: RabbitNode(folder / name.partition("@")[0], binaries, Member(name, names, self._epmd))
            for name in names
        }
        cookie, password = secrets.token_hex(20), secrets.token_urlsafe(24)
        for name in names:
            _agree(folder / name.partition("@")[0], cookie, password)

    @contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Keep the nodes until the block ends. Raises `Unavailable` with the log of a node that does not start."""
        try:
            self._start_epmd()
            with ThreadPoolExecutor(len(self.nodes)) as pool:
                for started in [pool.submit(node.start) for node in self.nodes.values()]:
                    started.result()
            yield self
        finally:
            for node in self.nodes.values():
                node.kill()
            kill(processes_with("ERL_EPMD_PORT", str(self._epmd), "epmd"))

    def _start_epmd(self) -> None:
        own = self._binaries.parent.parent / "erlang" / "bin" / "epmd"
        program = str(own) if own.exists() else shutil.which("epmd")
        if program is None:
            raise Unavailable("Erlang's epmd is not installed")
        environment = os.environ | {"ERL_EPMD_PORT": str(self._epmd), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        subprocess.run([program, "-daemon"], env=environment, check=True)


def _agree(folder: Path, cookie: str, password: str) -> None:
    """Give a node what all nodes must have in common."""
    home = folder / "home"
    home.mkdir(mode=0o700, parents=True)
    for path, text, mode in (
        (home / ".erlang.cookie", cookie, 0o400),
        (folder / "node.json", json.dumps({"password": password}), 0o600),
    ):
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)
