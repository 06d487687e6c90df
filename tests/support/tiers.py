"""Tiers: which tests need servers is seen from their fixtures and marks. A run ends with their numbers, the servers,
and memory.

`unit` runs anywhere in seconds; `services` needs RabbitMQ and PostgreSQL, a mail server, Chromium or packages.
"""

import ctypes
import gc
import resource
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

SERVER_FIXTURES = frozenset({"backing", "installation", "server", "browser", "cluster", "wheel"})
"""Fixtures that start servers or a browser, or build and install a package."""
SERVER_MARKS = ("services", "faults")
MAX_MEGABYTES = 500
"""Of a test process, at its peak."""
PEAK = "returpost_peak_megabytes"

SERVERS = pytest.StashKey[str]()
"""Which versions of the servers this process ran with."""

_peaks: list[int] = []
_servers: set[str] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        needs_servers = bool(fixtures & SERVER_FIXTURES) or any(map(item.get_closest_marker, SERVER_MARKS))
        item.add_marker("services" if needs_servers else "unit")


@pytest.fixture(scope="module", autouse=True)
def _caches_are_emptied() -> Iterator[None]:
    """Empty the caches after each module: a cached verdict keeps the compiled rules that made it.

    What is alive when a module begins is never looked through again, neither by a service that stops nor at the end:
    with the heap of a whole suite that took more time than the tests.
    """
    gc.freeze()
    yield
    verdict = sys.modules.get("returpost.bounces.verdict")
    for cached in vars(verdict).values() if verdict else ():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    gc.collect()
    if give_back := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc keeps what is free, in many pieces
        give_back(0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the peak and the servers of a worker to the process that reports."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    servers = session.config.stash.get(SERVERS, "")
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[PEAK] = peak
        session.config.workeroutput["servers"] = servers
    elif not session.config.getoption("numprocesses", None):
        _peaks.append(peak)
        _servers.add(servers)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep the peak and the servers of a worker that has ended."""
    if peak := getattr(node, "workeroutput", {}).get(PEAK):
        _peaks.append(peak)
    _servers.add(getattr(node, "workeroutput", {}).get("servers", ""))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests of each tier ran, with which servers, and how much memory the largest process took."""
    seen: Counter[str] = Counter()
    for outcome in ("passed", "failed", "skipped", "error", "xfailed", "xpassed"):
        for report in terminalreporter.stats.get(outcome, ()):
            keywords = getattr(report, "keywords", ())  # what failed to be collected has none
            seen["services" if "services" in keywords and "unit" not in keywords else "unit"] += 1
    peak = f"; largest process {max(_peaks)} MB of {MAX_MEGABYTES}" if _peaks else ""
    terminalreporter.write_line(f"{seen['unit']} unit tests, {seen['services']} tests with services{peak}")
    for servers in sorted(_servers - {""}):
        terminalreporter.write_line(f"servers: {servers}")
    if _peaks and max(_peaks) > MAX_MEGABYTES:
        terminalreporter.write_line(f"a test process took more than {MAX_MEGABYTES} MB", yellow=True)
