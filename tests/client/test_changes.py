"""The stream of changes, read as a CRM reads it."""

from datetime import UTC, datetime

import pytest

from returpost.client import ChangeStream
from shared.cloudevents import Event, event
from shared.contracts import ContactChanged
from shared.streams import Since
from tests.world import TENANT, World

pytestmark = [pytest.mark.anyio, pytest.mark.services]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_a_crm_follows_what_became_of_contacts_from_where_it_stopped(world: World) -> None:
    def changed(tenant: str, contact: str, version: int) -> Event[ContactChanged]:
        data = ContactChanged(contact=contact, what="upserted", by="kari", time=NOW, version=version)
        return event(data, id=f"{tenant}-{contact}-{version}", source="/test", tenant=tenant)

    async def read(since: Since, parts: int) -> list[tuple[int, str]]:
        told: list[tuple[int, str]] = []
        async for part in ChangeStream(world.amqp_url, TENANT).read(since):
            told += [(part.offset, item.id) for item in part.events]
            if len(told) == parts:
                break
        return told

    for item in (
        changed(TENANT, "c1", 1),
        changed("other", "c1", 1),
        changed(TENANT, "c2", 1),
        changed(TENANT, "c1", 2),
    ):
        await world.send(item)
    assert await read("first", 3) == [(0, "acme-c1-1"), (2, "acme-c2-1"), (3, "acme-c1-2")]
    assert await read(1, 2) == [(2, "acme-c2-1"), (3, "acme-c1-2")]
