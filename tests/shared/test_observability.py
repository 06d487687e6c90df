"""Logs without values, traces that go on from event to event, and their export."""

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import structlog
from hypothesis import given, strategies as st

from returpost.contracts import DeliveryRecorded
from returpost.contracts.addresses import HIDDEN, hide_addresses
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.trace_context import traceparent
from shared.observability.logging import configure_logging
from shared.observability.tracing import span_of_batch, span_of_request

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    written = io.StringIO()
    configure_logging("test", "INFO")
    root = logging.getLogger()
    stream = root.handlers[0]
    assert isinstance(stream, logging.StreamHandler)
    stream.setStream(written)
    yield written
    configure_logging("test", "WARNING", console=True)


def one(parent: str | None) -> Event[DeliveryRecorded]:
    data = DeliveryRecorded(
        mailing="m", address="a@example.com", result="delivered", time=datetime(2026, 1, 2, tzinfo=UTC), sender="news"
    )
    return event(data, id="1", source="/test", tenant="acme", traceparent=parent)


@pytest.mark.parametrize("ours", [True, False])
def test_a_log_line_is_json_and_tells_no_value_of_an_exception(lines: io.StringIO, ours: bool) -> None:
    try:
        raise ValueError("ann@example.com is wrong")
    except ValueError:
        if ours:
            structlog.get_logger().exception("failed", tenant="acme", event_id="e-1")
        else:
            logging.getLogger("library").exception("failed")
    line = lines.getvalue()
    told = json.loads(line)
    assert told["event"] == "failed"
    assert told["error"] == "ValueError"
    assert "test_observability.py" in told["frames"][0]
    assert told["service"] == "test"
    assert not ours or (told["tenant"], told["event_id"]) == ("acme", "e-1")
    assert "ann@" not in line


@pytest.mark.parametrize("console", [False, True])
def test_no_line_names_an_address_whoever_writes_it(console: bool, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", "INFO", console=console)
    address, quoted = "ann@example.com", '"ann berg"@example.com'
    try:
        raise ValueError(f"{address} is wrong")
    except ValueError as error:
        structlog.get_logger().exception("failed", text=f"no {quoted}", many=[address], deep={address: error})
        logging.getLogger("library").exception("<%s>: %r", address, error)
        logging.getLogger("library").warning("%d is no number", address)
    finally:
        configure_logging("test", "WARNING", console=True)
    written = capsys.readouterr().err
    assert "ann" not in written
    assert written.count(HIDDEN) >= 5
    assert "could not be written" in written
    assert "Traceback" not in written


@given(st.text(max_size=100), st.text(max_size=100))
def test_what_is_hidden_is_all_that_stands_together_with_an_address(before: str, after: str) -> None:
    hidden = hide_addresses(f"{before} ann@example.com {after}")
    assert "ann@" not in hidden
    assert "@" not in hidden
    assert hide_addresses("without") == "without"


def test_a_trace_goes_on_through_a_batch() -> None:
    assert traceparent() is None
    with span_of_batch("queue", [one(None), one(PARENT)]):
        inner = traceparent()
        assert inner is not None
        assert inner.startswith(f"00-{TRACE}-")
    assert traceparent() is None
    with span_of_batch("queue", [one(None)]):
        assert traceparent() is None


@pytest.mark.parametrize("brought", ["", "nonsense", "00-zz-b7-01", PARENT[:-1]])
def test_a_traceparent_that_is_none_is_left_out(brought: str) -> None:
    with span_of_request("/v1/check", brought):
        assert traceparent() is None
    with span_of_request("/v1/check", PARENT):
        assert (traceparent() or "").startswith(f"00-{TRACE}-")


def test_spans_are_exported_where_the_setting_points() -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        script = (
            "import sys; from opentelemetry import trace\n"
            "from shared.observability.tracing import configure_tracing, span_of_request\n"
            "configure_tracing('test', sys.argv[1], 0.0)\n"
            f"with span_of_request('/v1/sampled', '{PARENT}'): pass\n"
            f"with span_of_request('/v1/not-sampled', '{PARENT[:-1]}0'): pass\n"
            "trace.get_tracer_provider().shutdown()"
        )
        url = f"http://127.0.0.1:{server.server_port}"
        subprocess.run([sys.executable, "-c", script, url], check=True, timeout=60)
        server.shutdown()
        thread.join()
    ((path, body),) = received
    assert path == "/v1/traces"
    assert b"/v1/sampled" in body
    assert b"returpost-test" in body
    assert bytes.fromhex(TRACE) in body
    assert b"/v1/not-sampled" not in body
