"""`returpost rules diff` over the bounces that the archive keeps."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from returpost.cli.operate.rules import app
from returpost.contracts import BounceReceived, Evidence, ids
from returpost.contracts.cloudevents import Event, event
from tests.support.harness import Harness

pytestmark = [pytest.mark.anyio, pytest.mark.services]

OWN = 'about = "own"\n[[rule]]\nname = "mine"\nreason = "user_unknown"\npatterns = ["zebra"]\nexamples = ["a zebra"]\n'


def bounce(n: int, text: str, tenant: str) -> Event[Any]:
    data = BounceReceived(
        mailing="m1",
        address=f"u{n}@example.com",
        time=datetime.now(UTC),
        sender="news",
        evidence=Evidence(diagnostic=text, reply_code=550),
    )
    return event(data, id=ids.of_content(tenant, n), source="/test", tenant=tenant)


async def diff(harness: Harness, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, list[dict[str, Any]]]:
    monkeypatch.setenv("RETURPOST_AMQP_URL", harness.amqp_url)
    # The command has a loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, ["diff", *words, "--archive", "--json"])
    return result.exit_code, [json.loads(line) for line in result.output.splitlines()]


async def test_what_the_archive_keeps_is_judged_anew(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    await harness.send(bounce(1, "550 purple zebra", "acme"), bounce(2, "550 5.1.1 user unknown", "acme"))
    await harness.send(bounce(3, "550 striped zebra", "other"))
    code, changes = await diff(harness, monkeypatch, str(tmp_path))
    assert code == 1
    assert [change["diagnostic"] for change in changes] == ["550 purple zebra", "550 striped zebra"]
    assert all(change["dead_address"] == [False, True] for change in changes)
    code, changes = await diff(harness, monkeypatch, str(tmp_path), "--tenant", "other")
    assert [change["diagnostic"] for change in changes] == ["550 striped zebra"]
