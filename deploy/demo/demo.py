"""The demonstration: hand in mails and a mailing, and hold the services' own figures against what is expected.

Every figure comes from the services' HTTP APIs; the simulation only says what they should be.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.demo.people import contacts_csv
from deploy.demo.sender import simulated_sender
from deploy.demo.simulation import JUNK, Expected, Mailing, dead_or_complained, expected, past_start, simulate
from returpost.cli.http.api import Api

SENDER = "demo"
NAME = "Newsletter"
RETRY_DELAYS = ("2s", "4s", "6s")
SETTINGS = {
    "CLASSIFIER_RETRY_DELAYS": ",".join(RETRY_DELAYS),
    "CLASSIFIER_RETRY_DELAYS_BY_REASON": "{}",
    "CLASSIFIER_DISPATCH_INTERVAL": "PT0.2S",
    "ACTIONS_STOP_SIGNAL_SETTLE": "PT1H",
}
"""The fast clock: what takes hours in earnest takes seconds. Only a stop takes its time: more people complain of the
mailing than any list should have, and a paused mailing is not retried."""
JUNK_SHARE = 0.02
LOOK_INTERVAL = 0.3
STUCK_AFTER = 20.0
"""Seconds without any change, all figures not yet being right, after which the demonstration says so and ends."""
PAGE = 1000


@dataclass(slots=True)
class Figures:
    """What the services say of the tenant."""

    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of the mailing alone, by type and reason."""
    all_verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The bounce mails' included."""
    retries: dict[str, int] = field(default_factory=dict)
    """Recipients of the mailing by the state of their retries."""
    blocked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By cause and reason."""
    recipients: dict[str, int] = field(default_factory=dict)
    """Of the mailing, by status."""
    blocked_addresses: frozenset[str] = frozenset()
    """Those of the mailing."""
    dead_letters: int = 0
    """Of all tenants, earlier ones included."""

    @property
    def pending(self) -> int:
        """Retries that are still to come."""
        return self.retries.get("waiting", 0) + self.retries.get("requested", 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure, as it should be and as it is."""

    what: str
    expected: int
    found: int


@dataclass(slots=True)
class Outcome:
    """What the demonstration has seen."""

    tenant: str
    mailing: str
    mails: Counter[str]
    """Bounce mails by what ingest recognised."""
    unrecognised: int
    by_judgement: Counter[tuple[str, str]]
    """What people judged the bounce mails to be."""
    figures: Figures
    findings: list[Finding]
    first_pass_results: int
    first_pass_seconds: float
    seconds: float

    @property
    def adds_up(self) -> bool:
        """Whether every figure is what it should be."""
        return all(finding.expected == finding.found for finding in self.findings)

    @property
    def agreed(self) -> int:
        """Verdicts on bounce mails, by type and reason, that are as people judged; an opinion, not a sum to add up."""
        return (self.by_judgement & (self.figures.all_verdicts - self.figures.verdicts)).total()

    @property
    def per_second(self) -> float:
        """Results a second, from the first one handed in until all services had stored them."""
        return self.first_pass_results / self.first_pass_seconds


Progress = Callable[[str, int, int], None]
"""Takes what is counted, how many there are so far, and how many there will be."""


class Demo:
    """One demonstration; its own tenant keeps it apart from others."""

    def __init__(
        self,
        api: Api,
        amqp_url: str,
        recipients: int,
        mails: Sequence[Path],
        by_judgement: Counter[tuple[str, str]],
        progress: Progress,
    ) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        tenant = f"demo-{now:%m%d-%H%M%S}"
        start = past_start(now, recipients)
        self.mailing = Mailing(recipients, 1, tenant, "newsletter", SENDER, start, junk=JUNK_SHARE)
        self._api = api
        self._amqp_url = amqp_url
        self._mails = mails
        self._by_judgement = by_judgement
        self._progress = progress
        self._expected: Expected = expected(self.mailing, len(RETRY_DELAYS))
        self._first: Expected = expected(self.mailing, 0)
        self._dead = dead_or_complained(self.mailing)
        self._recognised: Counter[str] = Counter()
        self._unrecognised = 0
        self._reports = 0
        self._junk = 0
        self._dead_before = 0
        self._published_at = 0.0
        self._first_pass_at: float | None = None

    async def run(self, limit: float) -> Outcome:
        """Do it, and return when all figures are right, or when nothing changes any more, or after `limit` seconds.

        Raises `Unavailable` when a part of the system is away.
        """
        started = time.monotonic()
        self._dead_before = await asyncio.to_thread(dead_letters, self._api)
        await asyncio.to_thread(self._hand_in_mails)
        await asyncio.to_thread(self._tell_as_a_crm)
        messages = await asyncio.to_thread(lambda: list(simulate(self.mailing)))
        self._junk = len(set(messages) & set(JUNK))  # the same message again is the same dead letter
        async with simulated_sender(self.mailing, self._amqp_url) as sender:
            obeying = asyncio.create_task(sender.obey())
            try:
                self._published_at = time.monotonic()
                await sender.hand_in(messages, lambda: None)
                figures = await self._watch(obeying, started + limit)
            finally:
                obeying.cancel()
        ended = time.monotonic()
        return Outcome(
            self.mailing.tenant,
            self.mailing.mailing,
            self._recognised,
            self._unrecognised,
            self._by_judgement,
            figures,
            self.findings(figures),
            self._first.results,
            (self._first_pass_at or ended) - self._published_at,
            ended - started,
        )

    def findings(self, figures: Figures) -> list[Finding]:
        """Hold the figures against what is expected."""
        wanted = self._expected
        verdicts = {(type_.value, reason.value): count for (type_, reason), count in wanted.verdicts.items()}
        kinds = sorted(set(verdicts) | set(figures.verdicts))
        return [
            *(
                Finding(f"{type_} {reason}", verdicts.get((type_, reason), 0), figures.verdicts[type_, reason])
                for type_, reason in kinds
            ),
            Finding("verdicts on bounce mails", self._reports, figures.all_verdicts.total() - figures.verdicts.total()),
            Finding("retries recovered", wanted.recovered, figures.retries.get("recovered", 0)),
            Finding("retries exhausted", wanted.exhausted, figures.retries.get("exhausted", 0)),
            Finding("retries pending", 0, figures.pending),
            *(
                Finding(f"recipients {name}", wanted.statuses[name], figures.recipients.get(name, 0))
                for name in sorted(set(wanted.statuses) | set(figures.recipients))
            ),
            Finding("addresses blocked", len(self._dead), len(figures.blocked_addresses & self._dead)),
            Finding("addresses blocked wrongly", 0, len(figures.blocked_addresses - self._dead)),
            Finding("dead letters", self._junk + self._unrecognised, figures.dead_letters - self._dead_before),
        ]

    def _hand_in_mails(self) -> None:
        for number, path in enumerate(self._mails, 1):
            parameters = {"tenant": self.mailing.tenant}
            answer = self._api.call(
                "ingest", "POST", "/v1/bounce-mails", parameters, path.read_bytes(), "message/rfc822"
            )
            if answer["recognised"]:
                self._recognised[f"{answer['kind']} ({answer['format']})"] += 1
                self._reports += len(answer["reports"])
            else:
                self._unrecognised += 1
            self._progress("bounce mails", number, len(self._mails))

    def _tell_as_a_crm(self) -> None:
        tenant = {"tenant": self.mailing.tenant}
        named = json.dumps({"name": NAME, "sent_at": self.mailing.start.isoformat()}).encode()
        self._api.call("actions", "PUT", f"/v1/mailings/{self.mailing.mailing}", tenant, named)
        self._api.call("actions", "POST", "/v1/contacts/import", tenant, contacts_csv(self.mailing), "text/csv")

    async def _watch(self, obeying: "asyncio.Task[None]", deadline: float) -> Figures:
        """Look at the figures until they are right or nothing changes any more."""
        last, changed = None, time.monotonic()
        while True:
            figures = await asyncio.to_thread(look, self._api, self.mailing)
            now = time.monotonic()
            self._show(figures)
            if self._first_pass_at is None and self._first_pass_is_done(figures):
                self._first_pass_at = now
            if obeying.done():
                await obeying
            if all(finding.expected == finding.found for finding in self.findings(figures)):
                return figures
            if figures != last:
                last, changed = figures, now
            if now > deadline or now - changed > STUCK_AFTER:
                return figures
            await asyncio.sleep(LOOK_INTERVAL)

    def _first_pass_is_done(self, figures: Figures) -> bool:
        return (
            sum(figures.recipients.values()) >= self.mailing.recipients
            and figures.verdicts.total() >= self._first.verdicts.total()
        )

    def _show(self, figures: Figures) -> None:
        self._progress("recipients recorded", sum(figures.recipients.values()), self.mailing.recipients)
        self._progress("bounces judged", figures.verdicts.total(), self._expected.verdicts.total())
        ended = sum(figures.retries.values()) - figures.pending
        self._progress("soft bounces ended", ended, self._expected.soft)


def look(api: Api, mailing: Mailing) -> Figures:
    """Ask the services for all figures. Raises `Unavailable` when one is away."""
    tenant, name = mailing.tenant, mailing.mailing
    of_mailing = api.get("classifier", "/v1/verdicts/counts", tenant=tenant, mailing=name)["items"]
    of_all = api.get("classifier", "/v1/verdicts/counts", tenant=tenant)["items"]
    retries = api.get("classifier", "/v1/retries/counts", tenant=tenant, mailing=name)["items"]
    blocks = api.get("blocklist", "/v1/counts", tenant=tenant)["items"]
    return Figures(
        _verdicts(of_mailing),
        _verdicts(of_all),
        {row["state"]: row["count"] for row in retries},
        Counter({(row["cause"], row["reason"] or ""): row["blocked"] for row in blocks}),
        _statuses(api, tenant, name),
        frozenset(row["address"] for row in all_blocks(api, tenant) if row["mailing"] == name),
        dead_letters(api),
    )


def dead_letters(api: Api) -> int:
    """Count the dead letters of all tenants: junk belongs to none."""
    return sum(group["count"] for group in api.get("replay", "/v1/dead-letters/groups")["items"])


def all_blocks(api: Api, tenant: str) -> Iterator[dict[str, Any]]:
    """Yield every block of a tenant."""
    return api.pages("blocklist", "/v1/blocks", tenant=tenant, limit=PAGE)


def _statuses(api: Api, tenant: str, mailing: str) -> dict[str, int]:
    mailings = api.get("actions", "/v1/mailings", tenant=tenant, limit=PAGE)["items"]
    return next((dict(row["counts"]) for row in mailings if row["mailing"] == mailing), {})


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter({(row["type"], row["reason"]): row["count"] for row in rows})
