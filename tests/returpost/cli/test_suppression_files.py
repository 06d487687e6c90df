"""Commands on whole files, against a blocklist that is served on a port."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from returpost.cli import terminal
from returpost.cli.root import app
from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.support.harness import TENANT, Harness, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def served(harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal.out, "width", 200)  # made when it was first imported
    async with harness.running(create, Settings, "blocklist", import_interval=0.05) as running:
        server = uvicorn.Server(uvicorn.Config(running.service.app, port=0, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        await eventually(lambda: asyncio.sleep(0, server.started))
        port = server.servers[0].sockets[0].getsockname()[1]
        monkeypatch.setenv("RETURPOST_BLOCKLIST_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("RETURPOST_TOKEN", harness.token())
        monkeypatch.setenv("RETURPOST_TENANT", TENANT)
        yield
        server.should_exit = True
        await serving


async def returpost(*arguments: str, exit_code: int = 0) -> Result:
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    assert result.exit_code == exit_code, result.output
    return result


@pytest.mark.usefixtures("served")
async def test_lists_in_checked_corrected_held_against_a_provider_and_out(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("email,reason\nann@example.com,user_unknown\nbob@example.com,complaint\nx,\n")
    dry = await returpost("blocked", "import", "list.csv", "--dry-run", "--json", exit_code=1)
    assert json.loads(dry.stdout)["outcomes"] == {"blocked": 2, "invalid": 1}
    assert "row 3: address needs" in dry.output
    done = await returpost("blocked", "import", "list.csv", "--json", "--report", "rows.jsonl", exit_code=1)
    assert f"blocked undo --import {json.loads(done.stdout)['id']}" in done.output
    assert json.loads(done.stdout)["outcomes"] == {"blocked": 2, "invalid": 1}
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["outcome"] for row in rows] == ["blocked", "blocked", "invalid"]

    (tmp_path / "to.txt").write_text("Ann@Example.com\ncid@example.com\n")
    checked = await returpost("check", "to.txt")
    assert checked.stdout.startswith("Ann@Example.com\tskip\tdead_address\tuser_unknown\t")
    assert len(checked.stdout.splitlines()) == 1

    (tmp_path / "ses.csv").write_text("dan@example.com,BOUNCE\nbob@example.com,COMPLAINT\n")
    await returpost("reconcile", "ses.csv", "--provider", "ses", "--add", "add.csv", "--block", "here.jsonl")
    assert (tmp_path / "add.csv").read_text().split() == ["ann@example.com,BOUNCE"]
    await returpost("blocked", "import", "here.jsonl")

    await returpost("correct", "an@example.com", "ann@example.com")
    exported = await returpost("blocked", "export")
    assert sorted(line.split(",")[0] for line in exported.stdout.splitlines()[1:] if line) == [
        "bob@example.com",
        "dan@example.com",
    ]
    await returpost("blocked", "import", "list.csv", "--clear", exit_code=1)


@pytest.mark.usefixtures("served")
async def test_what_a_provider_has_is_applied_and_undone(tmp_path: Path) -> None:
    await returpost("blocked", "add", "lifted@example.com", "until@example.com", "--until", "2999-01-01T00:00:00Z")
    await returpost("blocked", "clear", "lifted@example.com", "--note", "works again")
    (tmp_path / "ses.csv").write_text("dan@example.com,BOUNCE\nlifted@example.com,COMPLAINT\n")
    applied = json.loads((await returpost("reconcile", "ses.csv", "--apply", "--json")).stdout)["import"]

    async def checked() -> str:
        return (await returpost("check", "ses.csv")).stdout

    assert "lifted" not in await eventually(checked)
    why = (await returpost("why", "dan@example.com")).stdout
    assert f"Blocked since import {applied['id']} says" in why or "Blocked by test" in why
    assert ", until 2999-01-01 00:00 UTC." in (await returpost("why", "until@example.com")).stdout
    assert "works again" in (await returpost("why", "lifted@example.com")).stdout
    assert "freed" in (await returpost("blocked", "undo", "--import", applied["id"])).stdout
    await eventually(checked, lambda text: not text)
    await returpost("blocked", "undo", "until@example.com")
    assert "not blocked" in (await returpost("why", "until@example.com")).stdout.lower()
    await returpost("blocked", "undo", exit_code=2)
    await returpost("blocked", "add", "ann@example.com", "--until", "2001-01-01T00:00:00Z", exit_code=1)


@pytest.mark.usefixtures("served")
async def test_wrong_use_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No such file" in (await returpost("check", "nowhere.txt", exit_code=2)).output
    await returpost("correct", "no address", "ann@example.com", exit_code=1)
    monkeypatch.setenv("RETURPOST_TOKEN", "nonsense")
    await returpost("blocked", "export", exit_code=2)
    monkeypatch.setenv("RETURPOST_BLOCKLIST_URL", "http://127.0.0.1:1")
    await returpost("blocked", "export", exit_code=3)


@pytest.mark.usefixtures("served")
async def test_settings_are_tried_changed_undone_and_remembered(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("email,reason\nann@example.com,user_unknown\n")
    await returpost("blocked", "import", "list.csv")
    tried = await returpost("settings", "preview", "reasons.user_unknown=ignore", "--json")
    assert [json.loads(tried.stdout)[name] for name in ("blocked", "freed")] == [0, 1]
    told = (await returpost("settings", "preview", "reasons.user_unknown=ignore")).output
    assert all(word in told for word in ("0 addresses would become blocked, 1 free", "ann@example.com", "Nothing was"))
    set_ = await returpost("settings", "set", "reasons.user_unknown=ignore")
    assert "1 addresses looked at: 0 blocked, 1 freed" in set_.output
    assert "1 addresses looked at: 1 blocked, 0 freed" in (await returpost("settings", "undo")).output
    assert json.loads((await returpost("settings", "show", "--json")).stdout)["accepted_bounces"] == 5
    changes = (
        "accepted_bounces=1",
        "reasons.policy=ignore",
        "decay_days=90",
        "expiry_days=1,30",
        "streams.s=complaint",
    )
    await returpost("settings", "set", *changes, "--note", "a try")
    shown = json.loads((await returpost("settings", "show", "--json")).stdout)
    assert (shown["accepted_bounces"], shown["reasons"]["policy"], shown["note"]) == (1, "ignore", "a try")
    assert (shown["decay_days"], shown["expiry_days"], shown["streams"]) == (90, [1, 30], {"s": ["complaint"]})
    await returpost("settings", "set", "decay_days=none", "expiry_days=none", "streams.s=none")
    shown = json.loads((await returpost("settings", "show", "--json")).stdout)
    assert (shown["decay_days"], shown["expiry_days"], shown["streams"]) == (None, [], {})
    await returpost("settings", "undo")
    await returpost("settings", "undo", "--version", "2")
    assert json.loads((await returpost("settings", "show", "--json")).stdout)["accepted_bounces"] == 5
    versions = json.loads((await returpost("settings", "history", "--json")).stdout)
    assert [version["version"] for version in versions] == [6, 5, 4, 3, 2, 1]
    assert {"name": "accepted_bounces", "old": "5", "new": "1"} in versions[3]["changes"]
    assert "Nothing changed: version 6" in (await returpost("settings", "set", "accepted_bounces=5")).output
    assert "no such field" in (await returpost("settings", "set", "accepted_bounce=1", exit_code=1)).output
    await returpost("settings", "set", "accepted_bounces", exit_code=2)
    await returpost("settings", "set", "accepted_bounces=-1", exit_code=1)


@pytest.mark.usefixtures("served")
async def test_what_a_storm_blocked_is_lifted_and_blocked_again(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("email,reason\nann@example.com,user_unknown\nbob@other.example,user_unknown\n")
    storm = "00000000-0000-0000-0000-000000000001"
    await harness.fetch(
        "blocklist",
        "INSERT INTO storms (id, tenant, kind, value, begun, suspended_from, seen_at, bounces, of_bounces)"
        " VALUES ($1, $2, 'domain', 'example.com', now(), now() + interval '1 hour', now(), 60, 61)",
        storm,
        TENANT,
    )
    await returpost("blocked", "import", "list.csv")
    assert "domain" in (await returpost("storms", "list")).stdout
    assert json.loads((await returpost("storms", "show", storm, "--json")).stdout)["blocked"] == 1
    assert "0 blocked, 1 freed" in (await returpost("storms", "lift", storm, "--note", "our SPF record")).output
    (one,) = json.loads((await returpost("storms", "list", "--json")).stdout)
    assert (one["state"], one["note"]) == ("lifted", "our SPF record")
    assert "1 blocked, 0 freed" in (await returpost("storms", "hold", storm)).output
    await returpost("storms", "count", "00000000-0000-0000-0000-000000000002", exit_code=1)


@pytest.mark.usefixtures("served")
async def test_why_tells_of_one_address() -> None:
    assert "it may be mailed" in (await returpost("why", "ann@example.com")).output


@pytest.mark.usefixtures("served")
async def test_erase_waits_lists_undoes_and_runs_now() -> None:
    ann, bob = "ann@example.com", "bob@example.com"
    await returpost("settings", "set", "erase_after_days=2", "skip_erased=true")
    assert "Waits until" in (await returpost("erase", ann, bob, "--yes")).output
    listed = json.loads((await returpost("erase", "list", "--json")).stdout)
    assert [(one["address"], one["by"]) for one in listed] == [(ann, "test"), (bob, "test")]
    assert "cancelled: 1" in (await returpost("erase", "undo", ann)).output
    assert "Erased here" in (await returpost("erase", "run-now", bob, "--yes")).output
    assert json.loads((await returpost("erase", "list", "--json")).stdout) == []
    assert "Erased on" in (await returpost("why", bob)).output
    await returpost("erase", "undo", exit_code=2)
