"""No body holds up the others: while a service reads it, health answers as if nothing were."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.support.harness import Harness
from tests.support.service_process import ServiceProcess, service_process

pytestmark = [pytest.mark.anyio, pytest.mark.services]

INTERVAL = 0.05
WORST = 0.25
"""Seconds that health may take on a machine that does nothing else."""
TRIES = 3
"""What holds the others up does so each time; what else the machine has to do does not."""
MEGABYTE = 1_000_000
KILOBYTE = 1_000
MAX_GROWTH = 600 * MEGABYTE
"""Bytes by which one request may make a process grow; 900 KB once took 2.3 GB."""

CSV, TEXT, JSON, LINES = "text/csv", "text/plain", "application/json", "application/x-ndjson"
Body = tuple[str, str, str, bytes, int]
"""Path, what it is, media type, what is repeated, and how many bytes in all."""

LISTS = [
    ("a quotation mark that is never closed", CSV, b'email\n"' + b"a\n" * 32_000, 70 * KILOBYTE),
    ("a quotation mark in each line", CSV, b'"a@example.com\n', 100 * KILOBYTE),
    ("no line end", CSV, b"x" * 65_536, 16 * MEGABYTE),
    ("empty lines", CSV, b"\n", 200 * KILOBYTE),
    ("lines of JSON that are none", LINES, b"{\n", 50 * KILOBYTE),
    ("deep lines of JSON", LINES, b'{"a":' + b"[" * 60_000 + b"\n", 4 * MEGABYTE),
    ("a document that never ends", LINES, b'[{"a":"' + b"x" * 65_536, 4 * MEGABYTE),
    ("a document of nothing", LINES, b"[{},{},{},{}", 50 * KILOBYTE),
    ("a document of separators", LINES, b"[,,,,,,,,,,,", MEGABYTE),
    ("numbers", LINES, b"[" + b"1" * 4_000 + b",", 4 * MEGABYTE),
]
BLOCKLIST: list[Body] = [
    *(("/v1/check", *one) for one in LISTS),
    *((path, *one) for path in ("/v1/blocks/imports", "/v1/reconcile") for one in LISTS[:3]),
    ("/v1/check", "no addresses", TEXT, b"x\n", 50 * KILOBYTE),
    ("/v1/check", "no line end", TEXT, b"x", 16 * MEGABYTE),
    ("/v1/check", "strange addresses", TEXT, "å@æøå.example\n".encode(), 100 * KILOBYTE),
    ("/v1/check", "a list of nothing", JSON, b'{"addresses":[' + b"[],", 30 * MEGABYTE),
    ("/v1/check", "few values", JSON, b'{"addresses":["' + b"x" * 65_536, 16 * MEGABYTE),
    ("/v1/reconcile/file", "no line end", LINES, b"x", 16 * MEGABYTE),
]
MAIL = b"From: a@example.com\r\nX-Failed-Recipients: " + b", ".join(b"u%d@example.com" % n for n in range(5_000))
INGEST: list[Body] = [
    ("/v1/delivery-results", "lines of nothing", LINES, b"{}\n", 2 * MEGABYTE),
    ("/v1/delivery-results", "one deep line", LINES, b"[" * 65_536, 30 * MEGABYTE),
    ("/v1/delivery-results", "a list of nothing", JSON, b"[{},", 30 * MEGABYTE),
    ("/v1/delivery-results", "a list of lists", TEXT, b"[[],", 30 * MEGABYTE),
    ("/v1/bounce-mails", "many recipients", "message/rfc822", MAIL + b"\r\n\r\n" + b"550 5.1.1 <a@b.c> unknown\r\n",
     9 * MEGABYTE),
    ("/v1/bounce-mails", "many headers", "message/rfc822", b"X-A: b\r\n", 9 * MEGABYTE),
    ("/webhooks/sendgrid/acme", "empty objects", JSON, b"[{},", 900_000),
    ("/webhooks/sendgrid/acme", "a list of lists", JSON, b"[[],", 8 * MEGABYTE),
    ("/webhooks/postmark/acme", "one deep value", JSON, b'{"a":' + b"[" * 65_536, 8 * MEGABYTE),
]  # fmt: skip
ACTIONS: list[Body] = [
    ("/v1/contacts/import", "a quotation mark that is never closed", CSV, b'id;email\n"1;' + b"a\n" * 30_000, 60_000),
    ("/v1/contacts/import", "a quotation mark in each line", CSV, b'id;email\n"1;a@example.com\n', 3 * MEGABYTE),
    ("/v1/contacts/import", "no line end", CSV, b"x", 30 * MEGABYTE),
    ("/v1/mailings/m/recipients/import", "no line end", CSV, b"email\nx@example.com", 30 * MEGABYTE),
    ("/v1/sign-in", "more than a name and a password", JSON, b'{"a":1,', 32_000),
]


def content_of(part: bytes, size: int) -> Iterator[bytes]:
    """Yield the first part once, then what repeats: all of it, or what follows the first line or bracket."""
    again = part[part.find(b"\n") + 1 :] or part
    again = again[1:] if again[:1] in (b"[", b'"') and len(again) < 100 and b"\n" not in again else again
    yield part
    seen = len(part)
    block = again * max(1, 65_536 // len(again))
    while seen < size:
        yield block[: size - seen]
        seen += len(block)


def crowded() -> tuple[float, float]:
    """Return how long something took, and how long of that it had a processor."""
    begun, used = time.perf_counter(), time.thread_time()
    sum(range(100_000))
    return time.perf_counter() - begun, time.thread_time() - used


class Probe:
    """Asks for health every 50 ms, and keeps the longest that it took."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.worst = 0.0
        self._took = self._worked = 0.0

    @property
    def scale(self) -> float:
        """How much longer things take here than they work: 1 on a machine that does nothing else."""
        return max(1.0, self._took / max(self._worked, 1e-3))

    async def __aenter__(self) -> "Probe":
        self._task = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._done = True
        await self._task

    async def _ask(self) -> None:
        self._done = False
        async with httpx.AsyncClient(base_url=self._url, timeout=60) as http:
            while not self._done:
                begun = time.perf_counter()
                assert (await http.get("/health/live")).status_code == 200
                self.worst = max(self.worst, time.perf_counter() - begun)
                took, worked = crowded()
                self._took, self._worked = self._took + took, self._worked + worked
                await asyncio.sleep(INTERVAL)


async def in_parts(body: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in body:
        yield part


@pytest.mark.parametrize(
    ("name", "bodies", "settings"),
    [
        ("blocklist", BLOCKLIST, {}),
        ("ingest", INGEST, {"RETURPOST_INGEST_WEBHOOK_UNSIGNED_TENANTS": "acme"}),
        ("actions", ACTIONS, {}),
    ],
    ids=["blocklist", "ingest", "actions"],
)
async def test_health_answers_while_a_hostile_body_is_read(
    harness: Harness, name: str, bodies: list[Body], settings: dict[str, str]
) -> None:
    slow: dict[str, Any] = {}
    headers = {"Authorization": f"Bearer {harness.token()}"}
    async with (
        service_process(harness, name, settings) as process,
        httpx.AsyncClient(base_url=process.url, headers=headers, timeout=120) as http,
    ):
        for path, what, media_type, part, size in bodies:
            for _ in range(TRIES):
                seen = await _under(process, http, path, what, media_type, part, size)
                if seen is None:
                    break
            else:
                slow[f"{path} {what}"] = seen
    assert slow == {}


async def _under(
    process: ServiceProcess, http: httpx.AsyncClient, path: str, what: str, media_type: str, part: bytes, size: int
) -> str | None:
    """Send one body; return what was seen when health was late, or when it cost too much."""
    before, begun = process.memory(), time.perf_counter()
    async with Probe(process.url) as probe:
        content = in_parts(content_of(part, size))
        try:
            answer = await http.post(path, content=content, headers={"Content-Type": media_type})
            status: object = answer.status_code
        except httpx.HTTPError as error:  # it is refused before it was sent
            status = type(error).__name__
    grown = process.memory() - before
    took = time.perf_counter() - begun
    seen = f"{status} in {took:.1f} s, worst {probe.worst:.3f} s, scale {probe.scale:.1f}, {grown // MEGABYTE} MB"
    print(path, what, seen)  # noqa: T201 - pytest shows it when the test fails
    bad = probe.worst > WORST * probe.scale or grown > MAX_GROWTH or (isinstance(status, int) and status >= 500)
    return seen if bad else None
