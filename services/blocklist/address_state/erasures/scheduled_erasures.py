"""Erasures that wait for their time, and can be undone until then. Until it has come, nothing else changes."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from returpost.contracts import AddressErase, ids
from returpost.contracts.cloudevents import event
from services.blocklist.address_state.erasures.repository import Q
from services.blocklist.address_state.handlers.commands import take_erasures
from services.blocklist.address_state.reevaluate import SOURCE
from services.blocklist.address_state.repository import Key, columns
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory


async def wait(work: UnitOfWork, keys: Iterable[Key], by: str, days: int, now: datetime) -> datetime:
    """Have addresses erased in so many days, or sooner if that was said before; return by when all are."""
    due = now + timedelta(days=days)
    rows = [(*key, now, by, due) for key in sorted(set(keys))]
    last: datetime = max(row["due"] for row in await work.connection.fetch(Q["wait"], *columns(rows, 5)))
    return last


async def erase_due(
    uow_factory: UnitOfWorkFactory, chunk: int, clock: Callable[[], datetime], *, remember: bool
) -> bool:
    """Erase the addresses whose time has come as if it were said now; return whether there were any."""
    async with uow_factory.begin() as work:
        addresses: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in await work.connection.fetch(Q["take_due"], clock(), chunk):
            addresses[row["tenant"], row["by"]].append(row["address"])
        now = clock()
        commands = [
            event(
                AddressErase.model_construct(addresses=whose, time=now, by=by),
                id=ids.of_content(AddressErase.TYPE, tenant, by, now, *whose),
                source=SOURCE,
                tenant=tenant,
            )
            for (tenant, by), whose in addresses.items()
        ]
        if commands:
            await take_erasures(commands, work, clock, remember=remember)
    return bool(commands)
