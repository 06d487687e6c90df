"""Readers of what strangers write: whatever the bytes, they end soon, and raise nothing but their own errors.

`make fuzz` runs each for as long as it is told, with other examples each time; those that fail are kept in `corpus/`,
and tried first from then on.
"""

import base64
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException
from hypothesis import HealthCheck, given, seed, settings, strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from returpost.bounces import parse
from returpost.bounces.events.rows import read_results, split_rows
from returpost.bounces.providers import PROVIDERS, normalize
from returpost.contracts import DeliveryResult
from returpost.contracts.addresses import normalise
from returpost.contracts.cloudevents import decode
from returpost.errors import ReturpostError
from services.actions.contacts import csv_import
from services.blocklist.suppression_files.reader import ListReader
from services.console.auth import session
from shared.http.auth import verify
from shared.http.pagination import decode_cursor

pytestmark = pytest.mark.unit
SECONDS = float(os.environ.get("RETURPOST_FUZZ_SECONDS", "0"))
"""How long each goes on; 0: a few examples, the same ones each time."""
FEW, MANY = 25, 500
LONGEST = 5.0
"""Seconds of a processor for one input of up to some kilobytes."""
CORPUS = Path(__file__).with_name("corpus")
NOW = datetime(2026, 1, 2, tzinfo=UTC)

PARTS = (
    b"\r\n", b"\n", b'"', b",", b";", b"{", b"}", b"[", b"]", b":", b"@", b"<", b">", b"\x00", b"\xff", b"=?utf-8?q?",
    b"?=", b"--b", b"Content-Type: multipart/report; boundary=b\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"X-Failed-Recipients: ", b"ann@example.com", b"550 5.1.1 ", b"Final-Recipient: rfc822; ", b"\r\n\r\n", b"a" * 999,
    b'{"email":"ann@example.com","event":"bounce"}', b'"specversion":"1.0"', b"\xef\xbb\xbf", b"email\n", b"\\ud800",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("ann@example.com")
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
JSON = VALUES.map(lambda value: json.dumps(value).encode())
MIXED = st.lists(st.sampled_from(PARTS) | st.binary(max_size=8), max_size=60).map(b"".join)
INPUT = MIXED | JSON | st.binary(max_size=200)
Target = Callable[[bytes], object]


def _list(data: bytes) -> None:
    reader = ListReader()
    for start in range(0, len(data), 7):
        list(reader.feed(data[start : start + 7]))
    list(reader.end())


def _webhooks(data: bytes) -> None:
    for provider in PROVIDERS:
        list(normalize(provider, data))


def _token(data: bytes) -> None:
    text = data.decode("latin-1")
    part = base64.urlsafe_b64encode(data).decode().rstrip("=")
    for token in (text, f"{part}.{part}.{part}", f"e30.{part}."):
        assert verify(token, ["x" * 32]) is None
        session.read(token)


def _cursor(data: bytes) -> None:
    for cursor in (data.decode("latin-1"), base64.urlsafe_b64encode(data).decode().rstrip("=")):
        for kinds in ((str,), (datetime, str), (int, str), (str, str)):
            decode_cursor(cursor, *kinds)


TARGETS: dict[str, Target] = {
    "mails": parse,
    "webhooks": _webhooks,
    "lists": _list,
    "contacts": lambda data: list(csv_import.read(data, NOW)),
    "results": lambda data: list(read_results(split_rows(data, lines=False), "acme", "/test")),
    "lines of results": lambda data: list(read_results(split_rows(data, lines=True), "acme", "/test")),
    "addresses": lambda data: normalise(data.decode("utf-8", "surrogateescape")),
    "cursors": _cursor,
    "tokens": _token,
    "events": lambda data: decode(DeliveryResult, data),
}


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_read_ends_soon_and_raises_its_own_errors(name: str) -> None:
    target = TARGETS[name]

    def tried(data: bytes) -> None:
        begun = time.thread_time()
        with suppress(ReturpostError, HTTPException):
            target(data)
        assert time.thread_time() - begun < LONGEST

    shown = settings(
        max_examples=MANY if SECONDS else FEW, deadline=None, suppress_health_check=list(HealthCheck),
        database=DirectoryBasedExampleDatabase(CORPUS), derandomize=False,
    )  # fmt: skip
    until = time.monotonic() + SECONDS
    fixed = seed(len(name))(shown(given(INPUT)(tried)))
    fixed()
    while time.monotonic() < until:
        seed(time.time_ns())(shown(given(INPUT)(tried)))()
