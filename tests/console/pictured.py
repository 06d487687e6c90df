"""A quarter of a year of mailings of an imagined firm, for pictures: persons, and results with their replies."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SCREENSHOTS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SEED = 7
TODAY = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=1)
FIRST = ("Anne", "Bjørn", "Cecilie", "David", "Eva", "Fredrik", "Grete", "Hans", "Ingrid", "Jonas", "Kari", "Lars",
         "Marit", "Nils", "Oda", "Per", "Ragnhild", "Siri", "Tor", "Unni", "Vidar", "Åse", "Øystein")  # fmt: skip
LAST = ("Andersen", "Berg", "Dahl", "Eriksen", "Foss", "Gundersen", "Haugen", "Iversen", "Johansen", "Kristiansen",
        "Lie", "Moen", "Nilsen", "Olsen", "Pedersen", "Rud", "Solberg", "Tangen", "Vik", "Ødegård")  # fmt: skip
COMPANIES = {
    "Nordlys Bygg AS": "nordlys-bygg.example", "Fjord & Fjell Reiser": "fjordfjell.example",
    "Havbris Shipping": "havbris.example", "Kystbanken": "kystbanken.example", "Granåsen Skole": "granaasen.example",
    "Bergtatt Kaffe": "bergtatt.example", "Solsiden Eiendom": "solsiden.example", "Viddas Ull": "viddasull.example",
    "Ishavet Fisk": "ishavetfisk.example", "Lysløypa Helse": "lysloypa.example",
}  # fmt: skip
FREE = ("mail.example", "post.example", "inbox.example")
MAILINGS = ("Nyhetsbrev 36", "Høstkampanje", "Nyhetsbrev 38", "Invitasjon til frokostmøte", "Nyhetsbrev 40",
            "Kundeundersøkelse", "Nyhetsbrev 42", "Messe i november", "Nyhetsbrev 44", "Førjulstilbud",
            "Nyhetsbrev 46", "Nyhetsbrev 48")  # fmt: skip
PERSONS = 420
SLIPS = {"crm-1000": "gmial.com", "crm-1001": "gmial.com", "crm-1002": "hotnail.com", "crm-1003": "gmial.com"}
"""Whose address has a misspelt domain."""
REPLIES = (
    (30, "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"),
    (12, "550 5.4.4 Host or domain name not found. Name service error for name={domain} type=MX: Host not found"),
    (14, "552 5.2.2 <{address}>: Mailbox full, quota exceeded"),
    (10, "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org"),
    (8, "550 5.2.1 The email account that you tried to reach is disabled"),
    (6, "550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy"),
    (6, "554 5.7.1 Message rejected as spam by content filtering"),
    (8, "451 4.7.1 Greylisting in action, please come back later"),
    (6, "421 4.4.2 Connection timed out"),
)
DEAD = ("550 5.1.1", "550 5.4.4")
"""How the replies begin that block at once."""


def persons() -> dict[str, dict[str, Any]]:
    """Return the persons by their number in the CRM, as `PUT /v1/contacts/...` takes them."""
    drawn, found = random.Random(SEED), {}
    for number in range(PERSONS):
        first, last = drawn.choice(FIRST), drawn.choice(LAST)
        company, domain = drawn.choice(list(COMPANIES.items()))
        domain = domain if drawn.random() < 0.8 else drawn.choice(FREE)
        domain = SLIPS.get(f"crm-{1000 + number}", domain)
        plain = f"{first}.{last}{number % 40 or ''}".lower().translate(str.maketrans("åøæ", "aoa"))
        found[f"crm-{1000 + number}"] = {
            "name": f"{first} {last}", "company": company, "addresses": [f"{plain}@{domain}"],
        }  # fmt: skip
    return found


def selections() -> dict[str, list[str]]:
    """Return selections with their members."""
    names = ("Kunder i Oslo", "Frokostmøte 2026", "Rydd opp i desember")
    return {name: [f"crm-{1000 + n}" for n in range(at, PERSONS, 17 + at)] for at, name in enumerate(names)}


def results() -> Iterator[dict[str, Any]]:
    """Yield the delivery results of all mailings: most arrive; who was blocked is sent nothing more."""
    drawn = random.Random(SEED)
    addresses = [one["addresses"][0] for one in persons().values()] + [f"kunde{n}@{FREE[n % 3]}" for n in range(180)]
    gone = "550 5.4.4 Host or domain name not found. Name service error for name={domain} type=MX: Host not found"
    lasting: dict[str, str] = {one: gone for one in addresses if one.endswith(tuple(SLIPS.values()))}
    blocked: set[str] = set()
    for at, mailing in enumerate(MAILINGS):
        sent = TODAY - timedelta(days=7 * (len(MAILINGS) - 1 - at), hours=at % 4)
        trouble = 0.04 if mailing == "Høstkampanje" else 0.008
        new = 0.012 if at else 0.06
        for nth, address in enumerate(one for one in addresses if one not in blocked):
            time = sent + timedelta(seconds=7 * nth)
            if address not in lasting and drawn.random() < new:
                lasting[address] = _reply(drawn)
            reply = lasting.get(address) if drawn.random() < 0.9 - 0.07 * at else None
            reply = reply or (_reply(drawn) if drawn.random() < trouble else None)
            if reply and reply.startswith(DEAD):
                blocked.add(address)
            yield from _one(drawn, {"mailing": mailing, "address": address}, time, reply)


def _one(drawn: random.Random, row: dict[str, Any], time: datetime, reply: str | None) -> Iterator[dict[str, Any]]:
    yield row | {"result": "sent", "time": (time - timedelta(seconds=40)).isoformat()}
    if reply:
        address = row["address"]
        told = reply.format(address=address, domain=address.partition("@")[2])
        yield row | {"result": "bounced", "diagnostic": told, "time": time.isoformat()}
        if not reply.startswith("4") or drawn.random() < 0.3:
            return
        time += timedelta(minutes=35)
    yield row | {"result": "delivered", "time": time.isoformat()}
    after = (time + timedelta(hours=3)).isoformat()
    if drawn.random() < 0.3:
        yield row | {"result": "opened", "time": after}
    elif drawn.random() < 0.001:
        yield row | {"result": "complained", "time": after}


def _reply(drawn: random.Random) -> str:
    return drawn.choices([text for _, text in REPLIES], [weight for weight, _ in REPLIES])[0]
