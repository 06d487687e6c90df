"""Where the processor time of one delivery result goes: microseconds a result by process, stage and SQL statement.

    python -m bench.profile --scale 0.1 --size 50 --json profile.json

It starts a system of its own and sends delivery results through it twice. The first time nothing looks: that is the
processor time of each process, and within PostgreSQL of each service's connections. The second time py-spy looks at
the services, and PostgreSQL writes down the processor time (not the clock) of each statement. Samples are of the thread
that holds the interpreter's lock, so that none waits. Over the stages in which they stand the time is shared out that
the process used itself the first time; what the system used for it, mostly for sockets, is a stage of its own. So the
stages add up. `--bare` leaves the second time out. See README.md.
"""

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.load import command
from bench.load.monitor import events_so_far, settled, until_done
from bench.load.oracle import expect
from bench.load.own_system import OwnSystem, own_system
from bench.load.processes import Processes, each
from bench.load.publishing import publish
from bench.load.workload import SENDER, Input, inputs, messages
from deploy.local.local_stack import Options
from returpost.contracts.routing import COMMANDS

RESULTS, AT_LEAST, WARM_UP = 1_000_000, 10_000, 5_000
SAMPLES_A_SECOND = 200
STAGES = {
    "decode": r"decode \(returpost/contracts|_read \(shared/messaging/consumer",
    "rules": r"\(returpost/bounces/(?!events)",
    "derive": r"\(returpost/contracts/ids|\(returpost/bounces/events|recipient_key",
    "encode": r"encode\w* \(returpost/contracts|merge \(returpost/amqp",
    "publish and confirm": r"publish\w* \(returpost/amqp|_send \(returpost/amqp|basic_publish|_on_confirm",
    "acknowledge": r"_acknowledge|basic_ack",
    "rows for SQL": r"columns \(shared/database|\w+ \(services/\w+/(?:\w+/)?repository",
    "SQL client": r"\(asyncpg/",
    "handlers": r"\(services/\w+/(?!app\.py)",
    "transaction and outbox": r"\(shared/messaging/(?:outbox|unit_of_work|direct)",
    "receive": r"\((?:aiormq|aio_pika|pamqp)/|\(shared/messaging/",
    "metrics and tracing": r"\(shared/observability|prometheus_client",
    "event loop": r"",
}
"""The first stage of which any frame matches."""
SYSTEM = "system calls"
LOGGED = {
    "log_line_prefix": "%a|%p|",
    "log_min_duration_statement": "0",
    "log_parameter_max_length": "0",
    "log_statement_stats": "on",
}
_DURATION = re.compile(
    r"^returpost-(\w+)\|(\d+)\|LOG:  duration: [\d.]+ ms  (?:(parse|bind|execute) [^:]*|(?:statement)): (.*)"
)
_USAGE = re.compile(r"^returpost-\w+\|(\d+)\|DETAIL:  ! system usage stats:")
_SECONDS = re.compile(r"^\s*!\s+([\d.]+) s user, ([\d.]+) s system")


@dataclass
class Findings:
    """Microseconds a result; the names are those of the JSON."""

    results: int
    a_message: int
    results_per_second: float = 0.0
    cpu_us_per_result: float = 0.0
    processes: dict[str, float] = field(default_factory=dict)
    postgresql: dict[str, float] = field(default_factory=dict)
    """Of its processes: by the service whose connections they are, or by their own name."""
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    """By service and stage."""
    statements: list[tuple[str, str, int, float]] = field(default_factory=list)
    """Service, first words of the statement, how often it ran, and the server's microseconds a result."""


def run(own: OwnSystem, findings: Findings, *, bare: bool) -> None:
    """Send the results through and fill in the findings."""
    own.measure(lambda: _work(own, findings, bare=bare))


async def _work(own: OwnSystem, findings: Findings, *, bare: bool) -> int:
    processes = Processes(own.folder)
    processes.find()
    server = processes.servers["postgresql"]
    await _through(own, inputs(WARM_UP, "warm-up"), "warm-up", findings.a_message)
    made = inputs(findings.results, "bench")
    before, backends, started = processes.seconds(), backend_seconds(server), time.monotonic()
    of_system = _system_seconds(processes)
    await _through(own, made, "bench", findings.a_message)
    seconds, after = time.monotonic() - started, processes.seconds()
    findings.results_per_second = round(len(made) / seconds, 1)
    findings.processes = each(before, after, len(made))
    findings.postgresql = each(backends, backend_seconds(server), len(made))
    findings.cpu_us_per_result = round(sum(findings.processes.values()), 1)
    if not bare:
        await _look(own, findings, processes, each(of_system, _system_seconds(processes), len(made)))
    return 0


async def _look(own: OwnSystem, findings: Findings, processes: Processes, of_system: dict[str, float]) -> None:
    """Send as many results again, of another tenant, and look at all services meanwhile."""
    made = inputs(findings.results, "looked-at")
    await _log_statements(own.running.database_url)
    log = own.folder / "home" / "postgres" / "postgres.log"
    logged = log.stat().st_size
    spies = [_spy(process.pid, own.folder / f"{name}.raw") for name, process in processes.services.items()]
    await _through(own, made, "looked-at", findings.a_message)
    for spy in spies:
        spy.send_signal(signal.SIGINT)
        await asyncio.to_thread(spy.wait, 60)
    findings.stages = {
        name: {SYSTEM: of_system[name]}
        | shared_out((own.folder / f"{name}.raw").read_text().splitlines(), findings.processes[name] - of_system[name])
        for name in processes.services
    }
    with log.open(errors="replace") as lines:
        lines.seek(logged)
        findings.statements = statements_of(lines, len(made))


async def _log_statements(database_url: str) -> None:
    database = await asyncpg.connect(database_url)
    for name, value in LOGGED.items():
        await database.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await database.execute("SELECT pg_reload_conf()")
    await database.close()


async def _through(own: OwnSystem, made: list[Input], tenant: str, size: int) -> None:
    expected = expect(made)
    async with httpx.AsyncClient(timeout=30) as client:
        before = await events_so_far(client, own.running.urls)
    url, key = own.running.sender_urls[SENDER], f"delivery.result.{tenant}.{SENDER}"
    publishing = asyncio.create_task(publish(url, COMMANDS, key, messages(made, size)))
    await until_done(own.running.urls, before, expected.events, lambda _: None)
    await settled(own.running.database_url, tenant)
    await publishing


def _system_seconds(processes: Processes) -> dict[str, float]:
    return {name: process.cpu_times().system for name, process in processes.services.items()}


def _spy(pid: int, to: Path) -> subprocess.Popen[bytes]:
    program = str(Path(sysconfig.get_path("scripts")) / "py-spy")
    kept = ("-p", str(pid), "-f", "raw", "-o", str(to), "-r", str(SAMPLES_A_SECOND), "-d", "3600", "-F", "--gil")
    return subprocess.Popen([program, "record", *kept], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def shared_out(samples: Iterable[str], microseconds: float) -> dict[str, float]:
    """Share out the microseconds of a process over the stages that its samples stand in: the stages add up to them.

    >>> shared_out(["decode (returpost/contracts/x.py) 3", "run (uvloop/loop.py) 1"], 8.0)
    {'decode': 6.0, 'event loop': 2.0}
    """
    counts: Counter[str] = Counter()
    for line in samples:
        stack, _, count = line.rpartition(" ")
        counts[stage_of(stack)] += int(count)
    total = sum(counts.values()) or 1
    return {name: round(microseconds * count / total, 2) for name, count in counts.most_common()}


def backend_seconds(server: psutil.Process) -> dict[str, float]:
    """Return the processor time of PostgreSQL by who it works for: a service's role, or a worker of its own."""
    seconds: dict[str, float] = defaultdict(float)
    for process in [server, *server.children()]:
        with contextlib.suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            seconds[worked_for(" ".join(process.cmdline()))] += used.user + used.system
    return dict(seconds)


def worked_for(title: str) -> str:
    """Return whom a process of PostgreSQL works for, by its title.

    >>> worked_for("postgres: returpost_blocklist postgres 127.0.0.1(40000) idle")
    'blocklist'
    >>> worked_for("postgres: walwriter ")
    'walwriter'
    """
    role = title.partition("postgres: ")[2].strip()
    name = role.split(" ")[0].removeprefix("returpost_") if "(" in role else role
    return name or "postmaster"


def stage_of(stack: str) -> str:
    """Return the stage of a stack of frames, outermost first and separated by `;`, as py-spy writes them.

    >>> stage_of("run (uvloop/x.py);decode (returpost/contracts/cloudevents.py)")
    'decode'
    """
    return next(name for name, pattern in STAGES.items() if re.search(pattern, stack))


def statements_of(log: Iterable[str], results: int) -> list[tuple[str, str, int, float]]:
    """Return service, statement, runs and microseconds a result, from a log with `LOGGED`, the dearest first.

    PostgreSQL writes the statement first and then what this process used for it.
    """
    spent: dict[tuple[str, str], float] = defaultdict(float)
    runs: Counter[tuple[str, str]] = Counter()
    at_work: dict[str, tuple[str, str]] = {}
    place: tuple[str, str] | None = None
    for line in log:
        if found := _DURATION.match(line):
            service, pid, phase, text = found.groups()
            at_work[pid] = (service, " ".join(text.split())[:70])
            runs[at_work[pid]] += phase in ("execute", None)
        elif found := _USAGE.match(line):
            place = at_work.get(found[1])
        elif place is not None and (found := _SECONDS.match(line)):
            spent[place] += float(found[1]) + float(found[2])
            place = None
    rows = [(*one, runs[one], round(spent[one] * 1e6 / results, 2)) for one in runs]
    return sorted(rows, key=lambda row: -row[3])[:40]


def show(findings: Findings, console: Console) -> None:
    """Print where the time goes."""
    title = f"{findings.results:,} results, {findings.a_message} a message: {findings.cpu_us_per_result:,.1f} us each"
    table = Table("process", "us a result", "stages", title=title)
    for name, microseconds in sorted(findings.processes.items(), key=lambda item: -item[1]):
        stages = ", ".join(f"{stage} {share}" for stage, share in findings.stages.get(name, {}).items() if share >= 0.1)
        table.add_row(name, f"{microseconds:,.1f}", stages)
    console.print(table)
    server = Table("of PostgreSQL", "us a result")
    for name, microseconds in sorted(findings.postgresql.items(), key=lambda item: -item[1]):
        if microseconds >= 0.1:
            server.add_row(name, f"{microseconds:,.1f}")
    console.print(server)
    if not findings.stages:
        return
    statements = Table("service", "statement", "runs", "us a result", title="PostgreSQL, processor time by statement")
    for service, text, count, microseconds in findings.statements:
        statements.add_row(service, text, f"{count:,}", f"{microseconds:,.2f}")
    console.print(statements)


def main() -> None:
    """Profile one run."""
    parser = command.arguments(__doc__)
    parser.add_argument("--size", type=int, default=50, metavar="N", help="results a message")
    parser.add_argument("--bare", action="store_true", help="the processor time of each process alone, not its stages")
    given = command.read(parser)
    console = Console(stderr=True, width=200)
    findings = Findings(max(int(RESULTS * given.scale), AT_LEAST), given.size)
    with own_system(Options(senders={SENDER: ()}, console_logs=False), console) as own:
        run(own, findings, bare=given.bare)
    show(findings, console)
    command.write(given.json, findings)
    sys.exit(0)


if __name__ == "__main__":
    main()
