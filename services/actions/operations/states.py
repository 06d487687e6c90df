"""The states of an operation and what may follow what. Plain functions.

previewed -> queued -> running -> finished | failed
queued | running -> cancelling -> cancelled
finished | failed | cancelled -> undoing -> undone
"""

from returpost.contracts import OperationState as S
from services.actions.operations.model import Refused

ACTIVE = frozenset((S.QUEUED, S.RUNNING, S.CANCELLING, S.UNDOING))
ENDED = frozenset((S.CANCELLED, S.FINISHED, S.FAILED, S.UNDONE))
_CONFIRMED = ACTIVE | ENDED


def confirm(state: S) -> bool:
    """Say whether a confirmation begins the operation; one that has begun is confirmed already.

    Raises `Refused` for one that was cancelled: nothing will come of it.
    """
    if state is S.CANCELLED:
        raise Refused("the operation is cancelled: preview again")
    return state not in _CONFIRMED


def cancel(state: S) -> S:
    """Return the state after a cancellation. Raises `Refused` when there is nothing left to stop."""
    if state is S.PREVIEWED:
        return S.CANCELLED
    if state in (S.QUEUED, S.RUNNING, S.CANCELLING):
        return S.CANCELLING
    if state is S.CANCELLED:
        return state
    raise Refused(f"the operation is {state.value}: there is nothing to cancel")


def undo(state: S, can_be_undone: bool) -> S:
    """Return the state after an undo. Raises `Refused` when it has not ended, or can never be undone."""
    if not can_be_undone:
        raise Refused("this kind of operation cannot be undone")
    if state in (S.UNDOING, S.UNDONE):
        return state
    if state in ENDED:
        return S.UNDOING
    raise Refused(f"the operation is {state.value}: cancel it, or wait for its end")


def end(state: S, failed_parts: int) -> S:
    """Return the state of an operation of which no part is left to do."""
    return {
        S.RUNNING: S.FAILED if failed_parts else S.FINISHED,
        S.CANCELLING: S.CANCELLED,
        S.UNDOING: S.UNDONE,
    }[state]  # fmt: skip
