"""What the blocklist answers to the commands of operations: parts are settled by it. Handlers."""

from collections.abc import Mapping, Sequence

from returpost.contracts import BlockApplied, BlockCleared
from returpost.contracts.cloudevents import Event
from services.actions.operations import store
from services.actions.operations.telling import tell_progress
from shared.messaging.unit_of_work import UnitOfWork


async def take_cleared(events: Sequence[Event[BlockCleared]], work: UnitOfWork) -> None:
    """Tick off the parts whose clear took effect, and tell how far each operation is."""
    await settle(work, [cleared.id for cleared in events if cleared.data.operation is not None])


async def take_applied(events: Sequence[Event[BlockApplied]], work: UnitOfWork) -> None:
    """Tick off the parts whose blocks were set, or whose commands were undone."""
    await settle(work, [applied.id for applied in events])


async def settle(work: UnitOfWork, answers: Sequence[str]) -> None:
    """Settle the parts that these events answer, and tell of it."""
    if answers:
        rows = await work.connection.fetch(store.Q["answered"], sorted(answers))
        await tell(work, {row["operation"]: row["answer"] for row in rows})


async def tell(work: UnitOfWork, causes: Mapping[int, str]) -> None:
    """Tell how far operations are, each with the id of what brought it there."""
    for no, cause in sorted(causes.items()):
        await tell_progress(work, await store.share(work.connection, no), cause)
