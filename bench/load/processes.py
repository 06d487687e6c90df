"""What processes cost: resident memory and processor time, of the services and of the servers below them."""

from dataclasses import dataclass, field
from pathlib import Path

import psutil

MEBIBYTE = 1024 * 1024


@dataclass
class Processes:
    """The processes of one system, found once; figures are in MiB and in seconds of processor time."""

    folder: Path
    """Where RabbitMQ and PostgreSQL have their data: their command lines name it."""
    services: dict[str, psutil.Process] = field(default_factory=dict)
    servers: dict[str, psutil.Process] = field(default_factory=dict)
    highest: dict[str, float] = field(default_factory=dict)

    def find(self) -> None:
        """Find the services among this process's children and the servers on the machine."""
        for child in psutil.Process().children(recursive=True):
            module = next((part for part in child.cmdline() if part.startswith("services.")), None)
            if module is not None:
                name = module.split(".")[1]
                several = sum(1 for known in self.services if known.partition("-")[0] == name)
                self.services[f"{name}-{several + 1}" if several else name] = child
        for process in psutil.process_iter(["name", "cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if str(self.folder) in line and process.info["name"].startswith("beam"):
                self.servers["rabbitmq"] = process
            elif str(self.folder) in line and process.info["name"].startswith("postgres"):
                self.servers["postgresql"] = process

    def memory(self) -> dict[str, float]:
        """Return the resident memory of each service now, and remember the highest."""
        found = {name: process.memory_info().rss / MEBIBYTE for name, process in self.services.items()}
        for name, size in found.items():
            self.highest[name] = max(size, self.highest.get(name, 0.0))
        return found

    def seconds(self) -> dict[str, float]:
        """Return the processor time that each has used so far; `publisher` is this process."""
        servers = {name: [process, *process.children(recursive=True)] for name, process in self.servers.items()}
        groups = {name: [process] for name, process in self.services.items()} | servers
        return {name: sum(map(_seconds, group)) for name, group in (groups | {"publisher": [psutil.Process()]}).items()}


def shares(before: dict[str, float], after: dict[str, float], wall: float) -> dict[str, float]:
    """Return the processors that each kept busy: 1.0 is one whole core."""
    return {name: round((after[name] - before.get(name, 0.0)) / wall, 3) for name in sorted(after)}


def each(before: dict[str, float], after: dict[str, float], number: int) -> dict[str, float]:
    """Return the microseconds of processor time that each used for one of so many."""
    return {name: round((after[name] - before.get(name, 0.0)) / number * 1e6, 1) for name in sorted(after)}


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
