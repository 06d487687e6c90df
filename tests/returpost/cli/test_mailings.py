"""What `returpost mailings` asks the service for, and what it says of the answers."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from returpost.cli import terminal
from returpost.cli.root import app
from tests.returpost.cli.test_api import Server, server

__all__ = ["server"]

THRESHOLDS: dict[str, Any] = {
    "hard_bounces": {"warning": 0.05, "pause": 0.1}, "complaints": {"warning": 0.001, "pause": 0.003},
    "sender_faults": {"warning": 0.2, "pause": None}, "least_results": 200, "window_hours": 24, "version": 7,
}  # fmt: skip
TURNED = {"since": "2026-12-01T08:00:00Z", "by": "ann", "why": "wrong subject"}


@pytest.fixture(autouse=True)
def environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_ACTIONS_URL", server.url)
    monkeypatch.setenv("RETURPOST_TOKEN", "a-token")
    monkeypatch.setattr(terminal.out, "width", 200)


def type_(server: Server, *words: str, answers: list[Any], code: int = 0) -> tuple[str, list[tuple[str, str, Any]]]:
    """Type a command; return what it says and what it asked: method, path and body."""
    server.answers = [(200, json.dumps(answer).encode()) for answer in answers]
    result = CliRunner().invoke(app, ["mailings", *words, "--tenant", "acme"])
    assert result.exit_code == code, result.output
    asked = [(method, path, json.loads(body) if body else None) for method, path, _, body in server.requests]
    assert {token for _, _, token, _ in server.requests} <= {"Bearer a-token"}
    return result.output, asked


@pytest.mark.parametrize(("action", "paused", "said"), [("pause", True, "Paused"), ("resume", False, "Resumed")])
def test_a_mailing_is_turned_with_a_reason(server: Server, action: str, paused: bool, said: str) -> None:
    words = (action, "spring/7 ø", "--why", "wrong subject")
    out, asked = type_(server, *words, answers=[TURNED | {"paused": paused}])
    path = f"/v1/mailings/spring%2F7%20%C3%B8/{action}?tenant=acme"
    assert asked == [("POST", path, {"why": "wrong subject"})], "an id is one part of the path, whatever is in it"
    assert out.startswith(f"{said} {TURNED['since']} by ann: wrong subject")


def test_a_mailing_is_not_turned_without_a_reason(server: Server) -> None:
    assert type_(server, "pause", "spring-7", answers=[], code=2)[1] == []


def test_paused_mailings_and_one_of_them_are_shown(server: Server) -> None:
    row = TURNED | {"mailing": "spring-7", "name": "Spring"}
    out, asked = type_(server, "list", "--limit", "3", answers=[{"items": [row]}])
    assert asked == [("GET", "/v1/paused-mailings?tenant=acme&limit=3", None)]
    assert all(str(value) in out for value in row.values())
    breach = {
        "kind": "complaints", "level": "pause", "count": 4, "of_results": 900, "threshold": 0.003, "scope": "mailing",
        "time": "2026-12-01T07:59:00Z",
    }  # fmt: skip
    found = {"counts": {"results": 900}, "breaches": [breach], "pause": TURNED | {"paused": True}}
    out, asked = type_(server, "show", "spring-7", answers=[found])
    assert asked[-1] == ("GET", "/v1/mailings/spring-7/stop-signals?tenant=acme", None)
    assert all(str(value) in out for value in breach.values())
    assert "Paused 2026-12-01T08:00:00Z by ann" in out


def test_a_change_names_all_thresholds_and_the_version_it_was_made_to(server: Server) -> None:
    words = ("set", "hard_bounces.pause=0.08", "complaints.warning=none", "window_hours=48", "--note", "shared pool")
    out, asked = type_(server, *words, answers=[THRESHOLDS, THRESHOLDS | {"version": 8}])
    _, (method, path, sent) = asked
    wanted = {name: value for name, value in THRESHOLDS.items() if name != "version"} | {
        "hard_bounces": {"warning": 0.05, "pause": 0.08}, "complaints": {"warning": None, "pause": 0.003},
        "window_hours": 48, "note": "shared pool",
    }  # fmt: skip
    assert (method, path, sent) == ("PUT", "/v1/stop-signals?tenant=acme", wanted)
    assert server.versions == [None, '"7"']
    assert "Version 8 is in force" in out


def test_a_preview_changes_nothing_and_says_what_would_be(server: Server) -> None:
    crossed = {"kind": "hard_bounces", "level": "pause", "count": 90, "of_results": 1_000}
    row = {"mailing": "m-1", "at": "2026-11-01T08:00:00Z", "sent": 500, "unsent": 1_500, "crossed": [crossed]}
    told = {
        "mailings": 12, "now": {"warned": 1, "paused": 0}, "would_be": {"warned": 3, "paused": 2}, "items": [row]
    }  # fmt: skip
    out, asked = type_(server, "preview", "hard_bounces.pause=0.08", answers=[THRESHOLDS, told])
    assert [(method, path) for method, path, _ in asked] == [
        ("GET", "/v1/stop-signals?tenant=acme"), ("POST", "/v1/stop-signals/preview?tenant=acme"),
    ]  # fmt: skip
    assert asked[1][2]["hard_bounces"] == {"warning": 0.05, "pause": 0.08}
    assert "12 mailings 3 would be warned of (now 1)" in out
    assert "2 of them paused (now 0)" in out
    assert "hard_bounces pause (9.00%)" in out


@pytest.mark.parametrize("change", ["soft_bounces.pause=0.1", "hard_bounces=0.1", "least_results.x=1", "pause"])
def test_an_unknown_threshold_is_refused_before_anything_is_sent(server: Server, change: str) -> None:
    _, asked = type_(server, "set", change, answers=[THRESHOLDS], code=2)
    assert [method for method, *_ in asked] == ["GET"]
