"""Incidents are made in one running system, and mended by the commands of their pages, typed as they stand there."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from returpost.contracts import DeliveryResult, ids
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import COMMANDS, SERVICES
from shared.http.auth import ALL_TENANTS, SCOPES, issue
from tests.conftest import PASSWORDS, made_vhost
from tests.deploy.test_backup import empty_database
from tests.support.command_line import CommandLine, commands, serving
from tests.support.harness import TOKEN_KEY, Harness, RunningService, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services, pytest.mark.faults, pytest.mark.timeout(300)]

UNKNOWN = "550 5.1.1 <recipient>: Recipient address rejected: User unknown"
FULL = "452 4.2.2 The recipient's mailbox is full, try again later"
RETRIES = "sender.default.retry-requested"
WITHOUT_QUEUE = "SELECT count(*) FROM dead_letters WHERE queue = '' AND state = 'dead'"


@dataclass
class System:
    """Services in this process, and a command line that knows them."""

    harness: Harness
    line: CommandLine
    stack: AsyncExitStack
    running: dict[str, RunningService] = field(default_factory=dict)

    async def start(self, *names: str, **settings: Any) -> None:
        """Start services; the command line knows them from then on."""
        for name in names:
            module, kind = (import_module(f"services.{name}.{part}") for part in ("app", "settings"))
            own = {"storm_interval": timedelta(milliseconds=50)} if name == "blocklist" else {}
            one = await self.stack.enter_async_context(
                self.harness.running(module.create, kind.Settings, name, **own, **settings)
            )
            url = await self.stack.enter_async_context(serving(one.service.app))
            self.running[name] = one
            self.line.environment[f"RETURPOST_{name.upper()}_URL"] = url

    async def results(self, mailing: str, *outcomes: tuple[str, str | None], tenant: str = "demo") -> None:
        """Report results as the sender `default` does: an address, and what its server said if it did not take it."""
        now = datetime.now(UTC).isoformat()
        events = []
        for address, diagnostic in outcomes:
            data = {"mailing": mailing, "address": address, "time": now, "sender": "default", "result": "delivered"}
            if diagnostic:
                data |= {"result": "bounced", "diagnostic": diagnostic}
            events.append({
                "specversion": "1.0", "id": ids.of_content(tenant, mailing, address), "source": "/senders/default",
                "type": DeliveryResult.TYPE, "time": now, "tenant": tenant, "data": data,
            })  # fmt: skip
        await self.harness.publish(COMMANDS, f"delivery.result.{tenant}.default", json.dumps(events).encode(), BATCHED)

    async def rows(self, service: str, sql: str, number: int) -> None:
        """Wait until a query counts so many."""

        async def look() -> int:
            found: int = (await self.harness.fetch(service, sql))[0][0]
            return found

        await eventually(look, lambda seen: seen == number)

    async def blocked(self, domain: str, number: int) -> None:
        """Wait until so many addresses of a domain are blocked."""
        where = f"tenant = 'demo' AND cause IS NOT NULL AND address LIKE '%@{domain}'"
        await self.rows("blocklist", f"SELECT count(*) FROM addresses WHERE {where}", number)  # noqa: S608

    async def follow(
        self,
        page: str,
        *,
        instead: Mapping[str, str] = {},
        before: Mapping[str, Callable[[], Awaitable[None]]] = {},
        codes: Sequence[int] | None = None,
    ) -> list[str]:
        """Type all of a page, with ids of this system in the place of its examples; return what each command says.

        `before` the first command that contains a text something is done; `codes` are the exit codes, else all 0.
        """
        typed, said, left = commands(page), [], dict(before)
        for line, code in zip(typed, codes or [0] * len(typed), strict=True):
            for part in [part for part in left if part in line]:
                await left.pop(part)()
            for example, real in instead.items():
                line = line.replace(example, real)
            said.append(await self.line.run(line, code))
        assert not left, "the page does not say what this waits for"
        return said


@asynccontextmanager
async def system(harness: Harness, folder: Path, *names: str) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        more = {f"RETURPOST_{name.upper()}_DATABASE_PASSWORD": password for name, password in PASSWORDS.items()}
        more |= {
            "RETURPOST_AMQP_URL": harness.amqp_url, "RETURPOST_DATABASE_URL": harness.admin_url,
            "RETURPOST_TOKEN_KEYS": TOKEN_KEY,
        }  # fmt: skip
        made = System(harness, CommandLine({}, harness.token(tenant=ALL_TENANTS), folder, more), stack)
        await made.start(*names)
        yield made


async def test_incidents_are_mended_by_their_runbooks(harness: Harness, tmp_path: Path) -> None:
    async with system(harness, tmp_path, "ingest", "classifier", "blocklist", "replay", "alerts") as made:
        await queue_without_consumer(made)
        await provider_sends_twice(made)
        await queue_behind(made)
        await blocked_wrongly(made)
        await stuck_outbox(made)
        await token_expired(made)
        await wrong_clock(made)
        await tenant_data(made)


async def queue_without_consumer(made: System) -> None:
    """A service was not started, and another queue was paused and forgotten."""
    await made.line.run("returpost queues pause classifier.bounce-received --why forgotten")
    await made.results("m1", ("ann@example.com", UNKNOWN))
    await eventually(lambda: made.harness.depth("classifier.bounce-received"))

    async def start() -> None:
        await made.start("actions")

    first, resumed, shown, last = await made.follow("queue-without-consumer.md", before={"topology show": start})
    assert "actions does not answer" in first
    assert "forgotten" in first
    assert "is consumed again" in resumed
    assert "classifier.bounce-received" in shown
    assert "does not answer" not in last
    await made.blocked("example.com", 1)


async def provider_sends_twice(made: System) -> None:
    for _ in range(5):
        await made.results("m1", ("ann@example.com", UNKNOWN))
    await eventually(lambda: made.harness.depth("ingest.delivery-result"), lambda depth: depth == 0)
    said = await made.follow("provider-sends-twice.md")
    why = said[-1]
    assert why.count("user unknown") == 1, why
    await made.rows("blocklist", "SELECT count(*) FROM history WHERE address = 'ann@example.com'", 1)


async def queue_behind(made: System) -> None:
    """An archive is replayed into a queue in which live events wait."""
    await made.results("m0", *((f"b{n}@behind.example", UNKNOWN) for n in range(30)))
    await made.blocked("behind.example", 30)
    now = datetime.now(UTC)
    selection = {
        "type": "returpost.bounce.received.v1", "into": "classifier.bounce-received",
        "since": (now - timedelta(hours=1)).isoformat(), "until": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    replay = made.running["replay"].http
    everybody = {"Authorization": f"Bearer {made.line.environment['RETURPOST_TOKEN']}"}
    wanted = {"selection": selection, "rate": 1}
    started = await replay.post("/v1/archive/replay", json=wanted, params={"expected": 31}, headers=everybody)
    job = started.raise_for_status().json()["job"]
    said = await made.follow(
        "queue-behind.md", instead={"1b7f0f4e-0000-4000-8000-000000000000": job}, codes=[1, *[0] * 4]
    )
    assert "classifier.bounce-received" in said[0]
    assert job[:8] in said[2]
    ((state,),) = await made.harness.fetch("replay", f"SELECT state FROM jobs WHERE id = '{job}'")  # noqa: S608
    assert state == "paused"
    (await replay.post(f"/v1/jobs/{job}/stop", headers=everybody)).raise_for_status()
    await eventually(lambda: made.harness.depth("classifier.bounce-received"), lambda depth: depth == 0)


async def blocked_wrongly(made: System) -> None:
    """A provider refuses all for a while, and a rule takes what another says for proof."""
    await made.results("m2", *((f"u{n}@example.com", UNKNOWN) for n in range(30)))
    await made.results("m2", *((f"u{n}@refusing.example", UNKNOWN) for n in range(80)))
    await made.blocked("example.com", 31)
    storm = await eventually(
        lambda: made.harness.fetch("blocklist", "SELECT id FROM storms WHERE value = 'refusing.example'")
    )
    said = await made.follow(
        "blocked-wrongly.md", instead={"0b54d6a2-4e0c-5b39-9a3e-6a6f1c1d2e3f": str(storm[0]["id"])}
    )
    assert "refusing.example" in said[0]
    assert "ann@example.com" not in said[-1]
    await made.blocked("refusing.example", 0)
    await made.blocked("example.com", 0)


async def stuck_outbox(made: System) -> None:
    """The exchange of the commands is gone, and then the queue of a sender."""
    run_now = "returpost retries run-now --mailing {} --tenant demo"

    async def retry(mailing: str) -> None:
        await made.results(mailing, ("bo@example.org", FULL))
        await made.rows("classifier", f"SELECT count(*) FROM retries WHERE mailing = '{mailing}'", 1)  # noqa: S608
        await made.line.run(run_now.format(mailing))

    await made.results("m3", ("bo@example.org", FULL))
    await made.rows("classifier", "SELECT count(*) FROM retries WHERE mailing = 'm3'", 1)
    await made.harness.channel.exchange_delete(COMMANDS)
    await made.line.run(run_now.format("m3"))
    await made.rows("classifier", "SELECT count(*) FROM outbox", 1)

    async def undeclared() -> None:
        await made.rows("classifier", "SELECT count(*) FROM outbox", 0)
        await eventually(lambda: made.harness.depth(RETRIES), lambda depth: depth == 1)
        await made.harness.channel.queue_delete(RETRIES)
        await retry("m4")
        await made.rows("replay", WITHOUT_QUEUE, 1)

    said = await made.follow("stuck-outbox.md", before={"dead-letters list": undeclared})
    assert "No dead letters" in said[-1]
    assert await made.harness.depth(RETRIES) == 1


async def token_expired(made: System) -> None:
    good = made.line.environment["RETURPOST_TOKEN"]
    ended = issue(TOKEN_KEY, name="ann", tenant=ALL_TENANTS, scopes=SCOPES, lifetime=timedelta(seconds=-1))
    made.line.environment["RETURPOST_TOKEN"] = ended
    typed = commands("token-or-certificate-expired.md")
    said: list[str] = []
    for line in typed:
        said.append(await made.line.run(line, 0 if said else 2))
        if "--role operator" in line:
            made.line.environment["RETURPOST_TOKEN"] = said[-1].strip()
    assert "refuses the token" in said[0]
    made.line.environment["RETURPOST_TOKEN"] = good


async def wrong_clock(made: System) -> None:
    await made.results("m5", ("ann@example.com", UNKNOWN))
    await made.blocked("example.com", 1)
    said = await made.follow("wrong-clock.md")
    assert "bounce.received" in said[0]
    await made.blocked("example.com", 0)


async def tenant_data(made: System) -> None:
    await made.results("a1", ("cy@example.com", UNKNOWN), ("di@example.com", None), tenant="acme")
    acme, demo = (f"SELECT count(*) FROM addresses WHERE tenant = '{one}'" for one in ("acme", "demo"))  # noqa: S608
    await made.rows("blocklist", acme, 2)
    await made.rows("actions", "SELECT count(*) FROM recipients WHERE tenant = 'acme' AND status <> 'sent'", 2)
    (kept,) = (await made.harness.fetch("blocklist", demo))[0]
    said = await made.follow("tenant-data.md")
    assert "cy@example.com" in (made.line.folder / "blocks.csv").read_text()
    assert "actions.recipients" in said[2]
    assert "There is nothing of acme" in said[-1]
    await made.rows("blocklist", acme, 0)
    await made.rows("blocklist", demo, kept)
    assert not await made.harness.fetch("blocklist", "SELECT FROM history WHERE tenant = 'acme'")


async def test_a_database_that_was_away_is_mended_by_its_runbook(harness: Harness, tmp_path: Path) -> None:
    async with (
        proxy(harness.database_urls["classifier"]) as way,
        system(harness, tmp_path, "ingest", "blocklist", "actions", "replay") as made,
    ):
        await made.start("classifier", database_url=way.url)
        await way.cut()
        await made.results("m1", *((f"u{n}@example.com", UNKNOWN) for n in range(40)))
        consumer = next(
            one.consumer for one in made.running["classifier"].service.subscribers
            if one.consumer.queue == "classifier.bounce-received"
        )  # fmt: skip
        await eventually(lambda: asyncio.sleep(0, consumer.paused_since))
        said = await made.follow("database-or-broker-away.md", before={"migrate": way.mend}, codes=[1, *[0] * 5])
        assert "unavailable" in said[0] or "paused" in said[0]
        assert "No dead letters" in said[-1]
        await made.blocked("example.com", 40)


async def test_a_lost_database_is_mended_by_its_runbook(harness: Harness, backing: Any, tmp_path: Path) -> None:
    async with system(harness, tmp_path, "ingest", "classifier", "blocklist", "actions", "replay") as made:
        made.line.environment["RETURPOST_AMQP_MANAGEMENT_URL"] = harness.management_url
        await made.results("m1", ("ann@example.com", UNKNOWN))
        await made.blocked("example.com", 1)
        await eventually(lambda: harness.unacknowledged(*SERVICES), lambda count: not count)
        with made_vhost(backing) as vhost, empty_database(backing.database_url) as database:
            url = urlsplit(harness.amqp_url)._replace(path=f"/{vhost}").geturl()

            async def elsewhere() -> None:
                made.line.environment |= {"RETURPOST_AMQP_URL": url, "RETURPOST_DATABASE_URL": database}

            async def again() -> None:
                made.harness = replace(
                    harness, amqp_url=url, admin_url=database, database_urls=dict.fromkeys(SERVICES, database)
                )
                await made.start("classifier", "blocklist", "replay")

            await made.follow(
                "restore-from-backup.md",
                instead={"2026-12-01T02:00": (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")},
                before={"returpost restore": elsewhere, "returpost replay": again},
                codes=[1, *[0] * 6],
            )
            await made.blocked("example.com", 1)
            await made.stack.aclose()
