"""Webhooks: real HTTP against real ingest, which answers when RabbitMQ has confirmed.

    python -m bench.webhooks --scale 0.1 --json webhooks.json

It starts RabbitMQ, PostgreSQL and ingest in a folder of its own, and posts signed requests of SendGrid with ten events
each: first as many as go (32 connections, each asks again when it is answered), then 2,000 a second whatever comes
back, which is what the latency is taken from. After the runs the queues are read: every event that was answered with
200 has to be in them. See README.md.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rich.console import Console
from rich.table import Table

from bench.load.baseline_min import ANSWER, floor
from bench.load.posting import Poster
from bench.load.processes import Processes, each, shares
from deploy.local.local_stack import Options, operate, system
from returpost.cli.installation import Installation, Running

REQUESTS, AT_LEAST = 20_000, 500
EVENTS = 10
READ = json.dumps({"accepted": EVENTS, "ignored": 0, "kept": 0}, separators=(",", ":")).encode()
RECEIVED = b'{"received":true}'
"""Answers: read and confirmed; confirmed, and read when there is time."""
PATIENCE = 30.0
"""Seconds without an event, after which those that are missing are called lost."""
CONNECTIONS = 128
RATE = 2_000
"""Requests a second of the second run."""
OPEN_CONNECTIONS = 256
TENANT = "bench"
RECORDED = "actions.delivery-recorded"
KINDS = ("delivered",) * 6 + ("open", "deferred", "bounce", "processed")
WANTED = {"requests_per_second": 2_000, "p99_ms": 100}


@dataclass
class Findings:
    """What was measured; the names are those of the JSON."""

    requests: int
    processes: int
    requests_per_second: float = 0.0
    events_per_second: float = 0.0
    busy_p50_ms: float = 0.0
    busy_p99_ms: float = 0.0
    read_per_second: float = 0.0
    """Of the first run, until all that was put off has been read as well."""
    rate: float = 0.0
    """What was kept up of the requests a second that were asked for."""
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    floor_p50_ms: float = 0.0
    """Of a bare application that only publishes what is posted, same rate and run (bench/load/baseline_min.py)."""
    floor_p99_ms: float = 0.0
    p99_over_floor: float = 0.0
    all_there: bool = False
    cpu_share: dict[str, float] = field(default_factory=dict)
    """Of a processor, of the first run."""
    cpu_us: dict[str, float] = field(default_factory=dict)
    """Microseconds of processor time for a request of the first run, until it was answered."""
    cpu_us_until_read: dict[str, float] = field(default_factory=dict)
    """And until it was read."""


class Signer:
    """SendGrid's key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.setting = b64encode(public).decode()

    def request(self, number: int, host: str) -> bytes:
        """Return one request with ten events that no other has."""
        now = int(datetime.now(UTC).timestamp())
        body = json.dumps([_event(number * EVENTS + n, KINDS[n], now) for n in range(EVENTS)]).encode()
        signature = b64encode(self._key.sign(str(now).encode() + body, ec.ECDSA(SHA256()))).decode()
        head = (
            f"POST /webhooks/sendgrid/{TENANT} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"X-Twilio-Email-Event-Webhook-Timestamp: {now}\r\nX-Twilio-Email-Event-Webhook-Signature: {signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _event(number: int, kind: str, now: int) -> dict[str, object]:
    event: dict[str, object] = {
        "email": f"user{number}@example.com", "timestamp": now, "smtp-id": f"<{number}@mail.example.com>",
        "event": kind, "category": ["newsletter"], "sg_event_id": f"event-{number}",
        "sg_message_id": f"message-{number}",
        "returpost_mailing": "newsletter-48", "ip": "192.0.2.1", "response": "250 OK",
    }  # fmt: skip
    if kind == "bounce":
        event |= {"reason": "550 5.1.1 The email account does not exist", "status": "5.1.1", "type": "bounce"}
    return event


class Run:
    """The runs over one system."""

    def __init__(self, running: Running, signer: Signer, findings: Findings, folder: Path, console: Console) -> None:
        self._running = running
        self._signer = signer
        self._findings = findings
        self._processes = Processes(folder)
        self._console = console
        self._seen: set[str] = set()
        self._host = urlsplit(running.urls["ingest"]).netloc

    async def work(self) -> int:
        """Measure both, then look whether everything is there."""
        found, requests = self._findings, self._findings.requests
        self._processes.find()
        self._console.print(f"signing {2 * requests:,} requests")
        made = [self._signer.request(number, self._host) for number in range(2 * requests)]
        host, _, port = self._host.rpartition(":")
        poster = Poster(host, int(port), READ, RECEIVED)
        connection = await aio_pika.connect(self._running.amqp_url)
        async with connection, connection.channel() as channel:
            before, started = self._processes.seconds(), time.monotonic()
            seconds = await poster.busy(made[:requests], CONNECTIONS)
            wall, after = time.monotonic() - started, self._processes.seconds()
            found.cpu_share, found.cpu_us = shares(before, after, wall), each(before, after, requests)
            found.requests_per_second, found.events_per_second = requests / wall, requests * EVENTS / wall
            found.busy_p50_ms, found.busy_p99_ms = _percentiles(seconds)
            await self._count(channel, requests * EVENTS)
            found.read_per_second = requests / (time.monotonic() - started)
            found.cpu_us_until_read = each(before, self._processes.seconds(), requests)
            started = time.monotonic()
            seconds = await poster.steady(made[requests:], OPEN_CONNECTIONS, RATE)
            found.rate = requests / (time.monotonic() - started)
            found.p50_ms, found.p99_ms = _percentiles(seconds)
            found.all_there = await self._count(channel, 2 * requests * EVENTS) == 2 * requests * EVENTS
            await self._floor(made[:requests])
        return 0

    async def _floor(self, requests: list[bytes]) -> None:
        found = self._findings
        async with floor(self._running.amqp_url, found.processes) as port:
            seconds = await Poster("127.0.0.1", port, ANSWER).steady(requests, OPEN_CONNECTIONS, RATE)
        found.floor_p50_ms, found.floor_p99_ms = _percentiles(seconds)
        found.p99_over_floor = found.p99_ms / found.floor_p99_ms

    async def _count(self, channel: aio_pika.abc.AbstractChannel, expected: int) -> int:
        """Return how many different events have come to the queue that takes every result, when these have or no more
        come."""
        found = self._seen
        await channel.set_qos(prefetch_count=200)
        queue = await channel.declare_queue(RECORDED, passive=True)
        async with queue.iterator(timeout=PATIENCE) as messages:
            with contextlib.suppress(TimeoutError):
                async for message in messages:
                    told = json.loads(message.body)
                    found |= {event["id"] for event in (told if isinstance(told, list) else [told])}
                    await message.ack()
                    if len(found) >= expected:
                        break
        return len(found)


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return median and 99th percentile in milliseconds."""
    return statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=100, method="inclusive")[98] * 1000


def run(scale: float, processes: int, console: Console) -> Findings:
    """Start ingest alone, measure, and stop it."""
    signer = Signer()
    findings = Findings(max(int(REQUESTS * scale), AT_LEAST), processes)
    options = Options(
        services=("ingest",),
        workers={"ingest": processes},
        share_http=True,
        console_logs=False,
        settings={"INGEST_WEBHOOK_SENDGRID_SECRETS": signer.setting},
    )
    with tempfile.TemporaryDirectory(prefix="returpost-bench-") as name:
        folder = Path(name)
        with (
            (folder / "services.log").open("w") as logs,
            system(Installation(folder / "home"), options, console.print) as (running, programs),
        ):
            measured = Run(running, signer, findings, folder, console)

            def write(program: str, line: str) -> None:
                logs.write(f"{program} | {line}\n")
                if '"level":"error"' in line:
                    console.print(f"{program} | {line}")

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                if runner.run(operate(running, programs, write, console.print, measured.work)) is None:
                    sys.exit(130)
    return findings


def show(findings: Findings, console: Console) -> None:
    """Print a table of what was measured and what it should be."""
    title = f"{findings.requests:,} requests of {EVENTS} events, {findings.processes} processes of ingest"
    table = Table("figure", "measured", "wanted", title=title)
    for name, value in vars(findings).items():
        if isinstance(value, float):
            table.add_row(name, f"{value:,.1f}", f"{WANTED[name]:,}" if name in WANTED else "")
    table.add_row("all_there", str(findings.all_there), "True")
    for process, share in findings.cpu_share.items():
        us = findings.cpu_us[process], findings.cpu_us_until_read[process]
        table.add_row(f"{process}: cores; µs a request", f"{share:.2f}; {us[0]:,.0f}, {us[1]:,.0f}", "")
    console.print(table)


def main() -> None:
    """Exit code 1 when an event that was answered is not in its queue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, metavar="F", help="1.0 the full size, 0.05 a quick look")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="processes of ingest")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    given = parser.parse_args()
    if given.scale <= 0 or given.processes < 1:
        parser.error("--scale and --processes: must be above 0")
    console = Console(stderr=True)
    findings = run(given.scale, given.processes, console)
    show(findings, console)
    if given.json:
        given.json.write_text(json.dumps(vars(findings), indent=2) + "\n")
    sys.exit(0 if findings.all_there else 1)


if __name__ == "__main__":
    main()
