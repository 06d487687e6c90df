"""Where the processor time of one delivery result goes: microseconds a result by process, stage and SQL statement.

    python -m bench.profile --scale 0.1 --size 50 --json profile.json

It starts a system of its own, sends delivery results through it and looks at every service with py-spy meanwhile. The
samples of a process, of the thread that has the interpreter's lock so that none waits, are shared out over the stages
below and weighed with the processor time that the process used. Statements are timed by PostgreSQL's log: their
durations are of the clock, so take them as shares of the server's processor time.
See README.md.
"""

import asyncio
import re
import subprocess
import sys
import sysconfig
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.load import command
from bench.load.monitor import events_so_far, settled, until_done
from bench.load.oracle import expect
from bench.load.own_system import OwnSystem, own_system
from bench.load.processes import Processes, each
from bench.load.publishing import publish
from bench.load.workload import SENDER, Input, inputs, messages
from deploy.local import postgres
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
"""The first stage of which any frame matches, innermost frame first within each stage."""
LOGGED = {"log_min_duration_statement": "0", "log_parameter_max_length": "0", "log_line_prefix": "%a|"}
_DURATION = re.compile(r"^returpost-(\w+)\|LOG:  duration: ([\d.]+) ms  (parse|bind|execute) [^:]*: (.*)")


@dataclass
class Findings:
    """Microseconds a result; the names are those of the JSON."""

    results: int
    a_message: int
    results_per_second: float = 0.0
    cpu_us_per_result: float = 0.0
    processes: dict[str, float] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    """By service and stage."""
    statements: list[tuple[str, str, int, float]] = field(default_factory=list)
    """Service, first words of the statement, how often it ran, and the server's microseconds a result."""


def run(own: OwnSystem, findings: Findings) -> None:
    """Send the results through and fill in the findings."""
    own.measure(lambda: _work(own, findings))


async def _work(own: OwnSystem, findings: Findings) -> int:
    processes = Processes(own.folder)
    processes.find()
    await _through(own, inputs(WARM_UP, "warm-up"), "warm-up", findings.a_message)
    log = own.folder / "home" / "postgres" / "postgres.log"
    logged = log.stat().st_size
    made = inputs(findings.results, "bench")
    spies = {name: _spy(process.pid, own.folder / f"{name}.raw") for name, process in processes.services.items()}
    before, started = processes.seconds(), time.monotonic()
    await _through(own, made, "bench", findings.a_message)
    seconds, after = time.monotonic() - started, processes.seconds()
    for spy in spies.values():
        spy.send_signal(2)
        await asyncio.to_thread(spy.wait, 60)
    findings.results_per_second = round(len(made) / seconds, 1)
    findings.processes = each(before, after, len(made))
    findings.cpu_us_per_result = round(sum(findings.processes.values()), 1)
    findings.stages = {
        name: _stages(own.folder / f"{name}.raw", findings.processes[name]) for name in processes.services
    }
    findings.statements = _statements(log, logged, len(made))
    return 0


async def _through(own: OwnSystem, made: list[Input], tenant: str, size: int) -> None:
    expected = expect(made)
    async with httpx.AsyncClient(timeout=30) as client:
        before = await events_so_far(client, own.running.urls)
    url, key = own.running.sender_urls[SENDER], f"delivery.result.{tenant}.{SENDER}"
    publishing = asyncio.create_task(publish(url, COMMANDS, key, messages(made, size)))
    await until_done(own.running.urls, before, expected.events, lambda _: None)
    await settled(own.running.database_url, tenant)
    await publishing


def _spy(pid: int, to: Path) -> subprocess.Popen[bytes]:
    program = Path(sysconfig.get_path("scripts")) / "py-spy"
    line = [
        str(program),
        "record",
        "-p",
        str(pid),
        "-f",
        "raw",
        "-o",
        str(to),
        "-r",
        str(SAMPLES_A_SECOND),
        "-d",
        "3600",
        "-F",
    ]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _stages(raw: Path, microseconds: float) -> dict[str, float]:
    """Share out the microseconds of a process over the stages that its samples stand in."""
    counts: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        counts[stage_of(stack)] += int(count)
    total = sum(counts.values()) or 1
    return {name: round(microseconds * count / total, 2) for name, count in counts.most_common()}


def stage_of(stack: str) -> str:
    """Return the stage of a stack of frames, outermost first and separated by `;`, as py-spy writes them.

    >>> stage_of("run (uvloop/x.py);decode (returpost/contracts/cloudevents.py)")
    'decode'
    """
    return next(name for name, pattern in STAGES.items() if re.search(pattern, stack))


def _statements(log: Path, start: int, results: int) -> list[tuple[str, str, int, float]]:
    spent: dict[tuple[str, str], float] = defaultdict(float)
    runs: Counter[tuple[str, str]] = Counter()
    with log.open(errors="replace") as lines:
        lines.seek(start)
        for line in lines:
            if found := _DURATION.match(line):
                service, milliseconds, phase, text = found.groups()
                place = (service, " ".join(text.split())[:70])
                spent[place] += float(milliseconds)
                runs[place] += phase == "execute"
    rows = [(*place, runs[place], round(spent[place] * 1000 / results, 2)) for place in spent]
    return sorted(rows, key=lambda row: -row[3])[:30]


def show(findings: Findings, console: Console) -> None:
    """Print where the time goes."""
    title = f"{findings.results:,} results, {findings.a_message} a message: {findings.cpu_us_per_result:,.1f} us each"
    table = Table("process", "us a result", "stages", title=title)
    for name, microseconds in sorted(findings.processes.items(), key=lambda item: -item[1]):
        stages = ", ".join(f"{stage} {share}" for stage, share in findings.stages.get(name, {}).items() if share >= 0.1)
        table.add_row(name, f"{microseconds:,.1f}", stages)
    console.print(table)
    statements = Table("service", "statement", "runs", "us a result", title="PostgreSQL, by the clock")
    for service, text, count, microseconds in findings.statements:
        statements.add_row(service, text, f"{count:,}", f"{microseconds:,.2f}")
    console.print(statements)


def main() -> None:
    """Profile one run."""
    parser = command.arguments(__doc__)
    parser.add_argument("--size", type=int, default=50, metavar="N", help="results a message")
    given = command.read(parser)
    console = Console(stderr=True, width=200)
    findings = Findings(max(int(RESULTS * given.scale), AT_LEAST), given.size)
    postgres.SETTINGS.update(LOGGED)
    with own_system(Options(senders={SENDER: ()}, console_logs=False), console) as own:
        run(own, findings)
    show(findings, console)
    command.write(given.json, findings)
    sys.exit(0)


if __name__ == "__main__":
    main()
