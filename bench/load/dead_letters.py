"""What the benchmark of replay is filled with, and what it must lead to: dead letters, an archive, a queue."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from returpost.amqp.publisher import Message
from returpost.contracts import BounceClassified, DeliveryRecorded, Verdict, ids
from returpost.contracts.cloudevents import Event, encode, event
from returpost.contracts.enums import Fault, Reason, VerdictType
from returpost.contracts.routing import EVENTS
from shared.messaging.dead_letters import dead_letter

INTO = "blocklist.bounce-classified"
GROUPS, TENANTS, MAILINGS, DOMAINS = 50, 5, 10, 5_000
OF_LETTERS, ARCHIVED, QUEUED = "bench", "archived", "queued"
"""Tenants; of letters several, which begin so."""
A_MESSAGE = 500
ADDRESSES_OF = 4
"""Events of the archive an address, each of another mailing: fewer than block by their count."""
ONE_DEAD_IN = 10
DIFFERENT = """
    WITH found AS (SELECT tenant, address, return_count, cause FROM blocklist.addresses WHERE tenant LIKE $1 || '%'),
         expected AS ({expected})
    SELECT count(*) FROM expected e FULL JOIN found f USING (tenant, address)
    WHERE (e.return_count, e.cause) IS DISTINCT FROM (f.return_count, f.cause)
"""
_ADDRESS = f"'user' || n || '@mail' || n % {DOMAINS} || '.example.com' AS address"
LETTERS = f"""
    SELECT $1::text || n % {TENANTS} AS tenant, {_ADDRESS}, 1 AS return_count, NULL AS cause
    FROM generate_series(0, $2::bigint - 1) AS n
"""  # noqa: S608 - numbers
ARCHIVE = f"""
    SELECT $1::text AS tenant, {_ADDRESS}, ceil(($2::bigint - n)::numeric / $3::bigint)::integer AS return_count,
           CASE WHEN n % {ONE_DEAD_IN} = 0 THEN 'dead_address' END AS cause
    FROM generate_series(0, least($2::bigint, $3::bigint) - 1) AS n
"""  # noqa: S608 - numbers


def kind(group: int) -> str:
    """Return a name without digits, which fingerprints leave out."""
    return f"{chr(97 + group // 26)}{chr(97 + group % 26)}"


def letter(n: int) -> Message:
    """Return the n-th dead letter, as the blocklist would have published it."""
    tenant = f"{OF_LETTERS}{n % TENANTS}"
    body, content_type = encode([verdict_on(n, address(n), tenant, mailing=f"m{n % MAILINGS}")])
    return dead_letter(
        body, queue=INTO, exchange=EVENTS, routing_key=f"bounce.classified.{tenant}", user="returpost-classifier",
        content_type=content_type, headers={}, error=f"a failure of kind {kind(n % GROUPS)}",
    )  # fmt: skip


def address(n: int) -> str:
    """Return the n-th address; a domain has few, as many would be a storm."""
    return f"user{n}@mail{n % DOMAINS}.example.com"


def verdict_on(
    n: int, address: str, tenant: str, *, mailing: str = "m1", dead: bool = False
) -> Event[BounceClassified]:
    """Return the n-th verdict of a tenant: one that blocks at once, or one that counts."""
    verdict = Verdict(
        type=VerdictType.HARD,
        reason=Reason.USER_UNKNOWN if dead else Reason.MAILBOX_FULL,
        fault=Fault.RECIPIENT,
        confidence=0.9,
        dead_address=dead,
        rule="bench.rule",
    )
    data = BounceClassified(
        mailing=mailing, address=address, time=datetime.now(UTC), sender="default", verdict=verdict, attempt=0
    )
    return event(data, id=ids.of_content(tenant, n), source="/bench", tenant=tenant)


def archive_bodies(number: int, addresses: int) -> Iterator[bytes]:
    """Yield messages: the n-th event is of the mailing n // addresses. Made from two patterns, as they are millions."""
    patterns = [
        encode([verdict_on(0, "the.address@example.com", ARCHIVED, mailing="the-mailing", dead=dead)])[0]
        for dead in (False, True)
    ]
    identity = ids.of_content(ARCHIVED, 0).encode()
    run = uuid4().int >> 64 << 64
    for start in range(0, number, A_MESSAGE):
        made = []
        for n in range(start, min(start + A_MESSAGE, number)):
            place = n % addresses
            one = patterns[place % ONE_DEAD_IN == 0].replace(b"the.address@example.com", address(place).encode())
            one = one.replace(b"the-mailing", b"m%d" % (n // addresses))
            made.append(one.replace(identity, str(UUID(int=run + n)).encode()))
        yield b"[" + b",".join(made) + b"]"


def recorded(n: int) -> Event[DeliveryRecorded]:
    """Return the n-th event that is queued for a handler that fails."""
    data = DeliveryRecorded.model_validate({
        "mailing": "m1", "address": address(n), "result": "sent", "time": datetime.now(UTC), "sender": "default",
    })  # fmt: skip
    return event(data, id=ids.of_content(QUEUED, n), source="/bench", tenant=QUEUED)
