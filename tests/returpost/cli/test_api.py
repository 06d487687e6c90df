"""The HTTP client of the command line, against a real server that answers what a test says."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from returpost.cli.http.api import Api
from returpost.errors import InvalidSettings, ReturpostError, Unavailable


class Server(ThreadingHTTPServer):
    """Answers every request with the next of its answers, and remembers what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.requests: list[tuple[str, str, str | None, bytes]] = []
        self.versions: list[str | None] = []
        """To which version each change was made."""
        self.connections = 0
        self.hang_up = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, self.headers.get("Authorization"), body))
        self.server.versions.append(self.headers.get("If-Match"))
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = self.server.hang_up  # without having said so

    do_POST = do_PUT = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    made = Api({"ingest": server.url}, "a-token")
    yield made
    made.close()


def test_asks_with_the_token_and_over_one_connection(server: Server, api: Api) -> None:
    server.answers = [(200, b"[1]"), (202, b'{"a": 2}'), (204, b"")]
    assert api.get("ingest", "/v1/x", tenant="acme", after=None, limit=3) == [1]
    assert api.call("ingest", "POST", "/v1/y", body=b"body") == {"a": 2}
    assert api.get("ingest", "/v1/z") is None
    assert server.requests == [
        ("GET", "/v1/x?tenant=acme&limit=3", "Bearer a-token", b""),
        ("POST", "/v1/y", "Bearer a-token", b"body"),
        ("GET", "/v1/z", "Bearer a-token", b""),
    ]
    assert server.connections == 1


def test_a_connection_that_was_closed_in_between_is_opened_again(server: Server, api: Api) -> None:
    server.answers = [(200, b"1"), (200, b"2")]
    server.hang_up = True
    assert [api.get("ingest", "/"), api.get("ingest", "/")] == [1, 2]
    assert server.connections == 2


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (401, {"title": "token missing"}, InvalidSettings, "token missing"),
        (403, {"title": "scope: this token lacks read"}, InvalidSettings, "lacks read"),
        (422, {"title": "no", "errors": [{"field": "a", "problem": "b"}]}, ReturpostError, "ingest: no; a: b"),
        (503, {"title": "not accepted, try again"}, Unavailable, "try again"),
        (500, None, ReturpostError, "GET /v1/x: 500"),
        (404, "plain", ReturpostError, "ingest"),
    ],
)
def test_a_refusal_is_told_in_the_services_own_words(
    server: Server, api: Api, status: int, answer: Any, error: type[Exception], words: str
) -> None:
    server.answers = [(status, json.dumps(answer).encode() if answer else b"")]
    with pytest.raises(error, match=words) as caught:
        api.get("ingest", "/v1/x")
    assert type(caught.value) is error


def test_many_faults_are_counted(server: Server, api: Api) -> None:
    faults = [{"field": f"[{n}]", "problem": "wrong"} for n in range(50)]
    server.answers = [(422, json.dumps({"title": "no", "errors": faults}).encode())]
    with pytest.raises(ReturpostError, match="and 45 more"):
        api.get("ingest", "/")


def test_health_is_told_be_it_good_or_bad(server: Server, api: Api) -> None:
    server.answers = [(503, b'{"ok": false}')]
    assert api.health("ingest") == {"ok": False}


def test_lags_are_read_from_the_metrics(server: Server, api: Api) -> None:
    server.answers = [(200, b'# HELP x\nreturpost_lag_seconds{queue="a.b"} 0.25\nreturpost_held{queue="a.b"} 1.0\n')]
    assert api.lags("ingest") == {"a.b": 0.25}


def test_a_service_that_is_away_or_was_not_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unavailable, match="returpost up"):
            Api({"ingest": url}, "").get("ingest", "/")
    with pytest.raises(Unavailable, match="replay was not started"):
        Api({}, "").get("replay", "/")


@pytest.mark.parametrize("url", ["ftp://x", "localhost:8101", "http://"])
def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(InvalidSettings, match="not the URL"):
        Api({"ingest": url}, "").get("ingest", "/")
