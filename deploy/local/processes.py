"""Processes of ours: known by pid and start, so that a pid that was given away is never taken for one of them."""

import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from returpost.errors import Unavailable

POLL_SECONDS = 0.05
STOP_SECONDS = 30.0
PORT_TRIES = 3
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Linux has another here after each start of the machine."""
TAKEN = ("could_not_start_listener", "eaddrinuse", "Address already in use")
"""How the logs of RabbitMQ (two ways) and PostgreSQL tell that a port is another's."""


def free_port(preferred: int | None = None) -> int:
    """Return the preferred port when it is free, else any free one below the range that clients are given."""
    for port in ([preferred] if preferred else []) + random.sample(range(20_000, 32_000), 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unavailable("no free port between 20000 and 32000 on 127.0.0.1")


def on_free_ports(start: Callable[[], None]) -> None:
    """Start a server that chooses free ports; once more, with others, while another program takes one in between.

    Raises `Unavailable` as `start` does.
    """
    for tries_left in reversed(range(PORT_TRIES)):
        try:
            start()
        except Unavailable as error:
            if not tries_left or not any(sign in str(error) for sign in TAKEN):
                raise
        else:
            return


class Logs:
    """What is written into log files from now on: what an earlier start has written tells nothing of this one."""

    def __init__(self, folder: Path, *patterns: str) -> None:
        self._folder, self._patterns = folder, patterns
        self._before = {file: file.stat().st_size for file in self._files()}

    def tail(self, characters: int) -> str:
        """Return the end of it, file by file."""
        return " ".join(self._new(file)[-characters:] for file in self._files())

    def _files(self) -> list[Path]:
        return [file for pattern in self._patterns for file in sorted(self._folder.glob(pattern))]

    def _new(self, file: Path) -> str:
        before, written = self._before.get(file, 0), file.read_bytes()
        return written[before if before <= len(written) else 0 :].decode(errors="replace")


def identify(process: psutil.Process) -> list[Any]:
    """Return what no other process has: pid, boot and start in seconds since the boot, ready for JSON.

    The clock is left out of it: it can be set while the process runs, and the start times of all processes with it.
    Raises `psutil.NoSuchProcess`.
    """
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    return [process.pid, boot, round(process.create_time() - psutil.boot_time(), 2)]


def identified(known: Any) -> psutil.Process | None:
    """Return the process that was identified so, if it still runs."""
    try:
        process = psutil.Process(known[0])
        _, boot, started = identify(process)
        same = known[1] == boot and abs(known[2] - started) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, TypeError, LookupError, psutil.Error):
        return None


def remember(note: Path, pid: int) -> None:
    """Write down a process. Raises `psutil.NoSuchProcess`."""
    note.write_text(json.dumps(identify(psutil.Process(pid))))


def recall(note: Path) -> psutil.Process | None:
    """Return the process that was written down, if it still runs and is the same one."""
    try:
        return identified(json.loads(note.read_text()))
    except (OSError, ValueError):
        return None


def processes_with(variable: str, value: str, name: str | None = None) -> list[psutil.Process]:
    """Return the processes in whose environment a variable has this value; those of other users are not seen."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found += [process] if name in (None, process.name()) else []
        except psutil.Error:
            continue
    return found


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Look until it is so. Raises `Unavailable` that says what did not come."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Unavailable(f"{what}: not after {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def end(process: psutil.Process, seconds: float = STOP_SECONDS) -> None:
    """Stop a process and its children: asked first, then killed."""
    try:
        family = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        process.wait(seconds)
    except psutil.TimeoutExpired:
        pass
    except psutil.NoSuchProcess:
        return
    kill(family)


def kill(family: list[psutil.Process]) -> None:
    """Kill what is left of these."""
    for member in family:
        try:
            member.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(family, timeout=10)
    for member in family:  # our own children stay as zombies until somebody asks
        try:
            os.waitpid(member.pid, os.WNOHANG)
        except ChildProcessError:
            continue
