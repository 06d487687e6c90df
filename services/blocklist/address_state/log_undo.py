"""Undoing the last block or lift of an address, as the log of blocks and lifts has it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from returpost.contracts.enums import BlockCause, UnblockCause
from services.blocklist.address_state.ports import OpenRepository, Repository
from services.blocklist.address_state.records import Command, Key, Subscription, Trigger, Undo
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.messaging.unit_of_work import UnitOfWork


async def undo_last(
    work: UnitOfWork,
    keys: Iterable[Key],
    trigger: Trigger,
    now: datetime,
    open_repository: OpenRepository = PostgresRepository.of,
) -> Counter[str]:
    """Undo the last block or lift of each of these addresses; return how many by what was done, `nothing` among it."""
    repository = open_repository(work)
    wanted = sorted(set(keys))
    last = await repository.last_logged(await repository.lock_existing(wanted))
    command = (now, trigger.by, trigger.note)
    by_undo: dict[Undo, list[Key]] = {
        undo: [key for key in wanted if key in last and last[key].undo is undo] for undo in Undo
    }
    times = {key: last[key].commanded_at for key in by_undo[Undo.TAKE_BACK]}
    await repository.undo({key: time for key, time in times.items() if time is not None})
    await repository.clear(dict.fromkeys(by_undo[Undo.LIFT], command))
    await _lift({key: last[key].cause for key in by_undo[Undo.LIFT_SUPPRESSION]}, command, repository)
    await repository.block(dict.fromkeys(by_undo[Undo.BLOCK], (*command, None)))
    await reevaluate(work, repository, dict.fromkeys(last, trigger), UnblockCause.UNDONE, now)
    done = Counter({undo.value: len(found) for undo, found in by_undo.items() if found})
    if nothing := len(wanted) - len(last):
        done["nothing"] = nothing
    return done


async def _lift(causes: dict[Key, str], command: Command, repository: Repository) -> None:
    """Lift what is about a person: by whatever stream they unsubscribed, they are as if they had not."""
    former = [key for key, cause in causes.items() if cause == BlockCause.FORMER_EMPLOYEE]
    await repository.lift_former(dict.fromkeys(former, command))
    left = [key for key in causes if key not in former]
    records = await repository.get(left)
    await repository.subscribe(
        Subscription(key, stream, command)
        for key in left
        for stream in {each.stream for each in records[key].facts.unsubscribes}
    )
