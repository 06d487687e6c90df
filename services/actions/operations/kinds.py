"""All kinds of operations."""

from collections.abc import Mapping

from returpost.contracts.enums import ListKind, Operation
from services.actions.operations import blocking, copying, correcting, exporting, people, sending
from services.actions.operations.model import Kind

KINDS: Mapping[Operation, Kind] = {
    Operation.EXPORT: exporting.EXPORT,
    Operation.COPY_TO_SELECTION: copying.to_new(ListKind.SELECTION),
    Operation.ADD_TO_SELECTION: copying.to_known(ListKind.SELECTION),
    Operation.COPY_TO_PROJECT: copying.to_new(ListKind.PROJECT),
    Operation.ADD_TO_PROJECT: copying.to_known(ListKind.PROJECT),
    Operation.DELETE_ADDRESSES: blocking.DELETE,
    Operation.CLEAR_BOUNCE_FLAG: blocking.CLEAR,
    Operation.BLOCK: blocking.BLOCK,
    Operation.SET_FORMER_EMPLOYEE: people.LEAVE,
    Operation.SET_BACK_FORMER_EMPLOYEE: people.SET_BACK,
    Operation.CORRECT_ADDRESS: correcting.CORRECT,
    Operation.SEND_AGAIN: sending.SEND,
}
