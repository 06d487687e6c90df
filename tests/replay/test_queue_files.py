"""Queues that are drained into a file, loaded again, purged and moved, as operators type it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import BounceClassified, Contract, DeliveryRecorded, ids
from returpost.contracts.cloudevents import Event, event
from returpost.errors import InvalidMessage
from services.replay.domain.queue_file import TOTAL, signed, verified
from shared.http.auth import ALL_TENANTS
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from shared.settings import ServiceSettings
from tests.replay.consumers import recorded
from tests.support.command_line import CommandLine, serving
from tests.support.harness import TENANT, Harness, RunningService, eventually
from tests.support.service_process import service_process

QUEUE, MOVED, INTO = "actions.delivery-recorded", "actions.bounce-classified", "blocklist.bounce-classified"
KEYS = ("a key of sufficient length for files", "another key, which was there before")
lines_of_files = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(), max_size=3), max_size=5)


def written(lines: list[dict[str, Any]], key: str = KEYS[0]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for line in (*lines, {TOTAL: len(lines)}):
        made.append(signed(line, key, made[-1]["check"] if made else ""))
    return made


def bare(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in ("check", TOTAL)} for line in lines]


@given(lines_of_files, st.sampled_from(KEYS), st.integers(0, 5))
def test_a_file_is_verified_in_any_parts(lines: list[dict[str, Any]], key: str, cut: int) -> None:
    made = written(bare(lines), key)
    read = json.loads(json.dumps(made))
    first, rest = read[:cut], read[cut:]
    after = first[-1]["check"] if first else ""
    assert [*verified(first, KEYS, ""), *verified(rest, KEYS, after)] == bare(lines)


@given(lines_of_files.filter(lambda lines: len(lines) > 1), st.data())
def test_a_file_that_was_touched_is_refused(lines: list[dict[str, Any]], data: st.DataObject) -> None:
    good = written([{**line, "n": n} for n, line in enumerate(bare(lines))])
    place = data.draw(st.integers(0, len(good) - 2))
    for touched in (
        [*good[:place], {**good[place], "n": -1}, *good[place + 1 :]],
        [*good[:place], *good[place + 1 :]],
        [*good[:place], good[place + 1], good[place], *good[place + 2 :]],
        [*good[: place + 1], *good[place:]],
        [*good, good[-1]],
        written(good, "a key that nobody here has ever had"),
    ):
        with pytest.raises(InvalidMessage):
            list(verified(touched, KEYS, ""))


def classified(n: int) -> Event[BounceClassified]:
    verdict = {
        "type": "hard", "reason": "user_unknown", "fault": "recipient", "confidence": 0.9, "dead_address": True,
        "rule": "r",
    }  # fmt: skip
    values = {
        "mailing": "m1", "address": f"u{n}@example.com", "time": "2026-11-24T08:00:00Z", "sender": "news", "attempt": 1,
        "verdict": verdict,
    }  # fmt: skip
    return event(BounceClassified.model_validate(values), id=ids.of_content("b", n), source="/test", tenant=TENANT)


@asynccontextmanager
async def consuming(
    harness: Harness, name: str, queues: dict[str, type[Contract]], seen: dict[str, list[str]]
) -> AsyncIterator[RunningService]:
    """A service without a database that notes in which order each queue gave it what."""

    def create(settings: ServiceSettings) -> Service[ServiceSettings]:
        service = Service(name, settings, description="", stateless=True)
        for queue, contract in queues.items():

            async def handle(events: Sequence[Event[Any]], work: UnitOfWork, queue: str = queue) -> None:
                seen.setdefault(queue, []).extend(one.id for one in events)

            service.consume(queue, contract, handle)
        return service

    async with harness.running(create, ServiceSettings, name, database_url=None) as running:
        yield running


@pytest.mark.anyio
@pytest.mark.services
async def test_a_queue_is_drained_loaded_purged_and_moved(harness: Harness, tmp_path: Path) -> None:
    seen: dict[str, list[str]] = {}
    async with (
        consuming(harness, "actions", {QUEUE: DeliveryRecorded, MOVED: BounceClassified}, seen) as actions,
        consuming(harness, "blocklist", {INTO: BounceClassified}, seen) as blocklist,
        serving(actions.service.app) as actions_url,
        serving(blocklist.service.app) as blocklist_url,
        service_process(harness, "replay") as replay,
    ):
        urls = {"actions": actions_url, "blocklist": blocklist_url, "replay": replay.url}
        line = CommandLine(urls, harness.token(tenant=ALL_TENANTS), tmp_path)

        async def depth(queue: str, number: int) -> None:
            await eventually(lambda: harness.depth(queue), lambda found: found == number)

        assert "is not paused" in await line.run(f"returpost queues drain {QUEUE} --into early.jsonl --why early", 1)
        assert not (tmp_path / "early.jsonl").exists(), "nothing was drained, and the name is free"
        await line.run(f"returpost queues pause {QUEUE} --why maintenance")
        events = [recorded(n) for n in range(7)]
        await harness.send(*events[:3], detail="sent")
        for one in events[3:]:
            await harness.send(one, detail="sent")
        await depth(QUEUE, 5)

        drained = json.loads(await _json(line, f"returpost queues drain {QUEUE} --into a.jsonl --why tomorrow --json"))
        assert (drained["messages"], drained["dead_letters"], drained["in_file"]) == (5, 7, 7)
        await depth(QUEUE, 0)
        text = (tmp_path / "a.jsonl").read_text()
        assert [json.loads(one).get("n") for one in text.splitlines()] == [1, 2, 3, 4, 5, 6, 7, None]
        assert "exists" in await line.run(f"returpost queues drain {QUEUE} --into a.jsonl --why again", 2)

        (tmp_path / "cut.jsonl").write_text("".join(text.splitlines(keepends=True)[:-1]))
        assert "breaks off" in await line.run('returpost queues load cut.jsonl --why "an incident" --yes', 1)
        (tmp_path / "forged.jsonl").write_text(text.replace('"published_by": "', '"published_by": "returpost-'))
        assert "not as it was drained" in await line.run("returpost queues load forged.jsonl --why forged --yes", 1)
        await depth(QUEUE, 0)

        await line.run("returpost queues load a.jsonl --why tomorrow --yes")
        await depth(QUEUE, 7)
        assert "--backup" in await line.run(f"returpost queues purge {QUEUE} --why never --yes", 2)
        await line.run(f"returpost queues purge {QUEUE} --backup b.jsonl --why wrong --yes")
        await depth(QUEUE, 0)
        await line.run("returpost queues load b.jsonl --why 'they were right' --yes")
        await line.run(f"returpost queues resume {QUEUE} --why done")
        await eventually(lambda: asyncio.sleep(0, seen.get(QUEUE, [])), lambda ids: len(ids) >= 7)
        assert seen[QUEUE] == [one.id for one in events], "each once, in the order of the queue"

        await line.run(f"returpost queues pause {MOVED} --why maintenance")
        bounces = [classified(n) for n in range(4)]
        await harness.send(*bounces)
        await eventually(lambda: asyncio.sleep(0, seen.get(INTO, [])), lambda ids: len(ids) == 4)
        await line.run(f"returpost queues move {MOVED} --into {INTO} --why 'a lost queue' --yes")
        await depth(MOVED, 0)
        assert sorted(seen[INTO]) == sorted([one.id for one in bounces] * 2), "its own, and those that were moved"
        assert MOVED not in seen
        audit = json.loads(await replay_get(harness, replay.url, "/v1/audit?limit=1000"))["items"]
        done = [entry["action"] for entry in reversed(audit)]
        assert done.count("drain") >= 3
        assert {"pause", "resume", "drain", "export", "discard", "load", "replay"} == set(done)
        assert all(entry["why"] for entry in audit)


async def _json(line: CommandLine, command: str) -> str:
    """Return the JSON of a command, without what it says besides."""
    text = await line.run(command)
    return text[text.index("{\n") : text.rindex("}") + 1]


async def replay_get(harness: Harness, url: str, path: str) -> str:
    import httpx

    headers = {"Authorization": f"Bearer {harness.token(tenant=ALL_TENANTS)}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        return (await http.get(path)).raise_for_status().text
