"""What the blocklist answers to the commands of operations: parts are settled by it. Handlers."""

from collections.abc import Mapping, Sequence

from services.actions.operations import store
from services.actions.operations.telling import tell_progress
from shared.cloudevents import Event
from shared.contracts import BlockApplied, BlockCleared
from shared.outbox import Work


async def take_cleared(events: Sequence[Event[BlockCleared]], work: Work) -> None:
    """Tick off the parts whose clear took effect, and tell how far each operation is."""
    await settle(work, [cleared.id for cleared in events if cleared.data.operation is not None])


async def take_applied(events: Sequence[Event[BlockApplied]], work: Work) -> None:
    """Tick off the parts whose blocks were set, or whose commands were undone."""
    await settle(work, [applied.id for applied in events])


async def settle(work: Work, answers: Sequence[str]) -> None:
    """Settle the parts that these events answer, and tell of it."""
    if answers:
        rows = await work.connection.fetch(store.Q["answered"], sorted(answers))
        await tell(work, {row["operation"]: row["answer"] for row in rows})


async def tell(work: Work, causes: Mapping[int, str]) -> None:
    """Tell how far operations are, each with the id of what brought it there."""
    for no, cause in sorted(causes.items()):
        await tell_progress(work, await store.share(work.connection, no), cause)
