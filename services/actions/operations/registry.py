"""All kinds of operations."""

from collections.abc import Mapping

from returpost.contracts.enums import ListKind, Operation
from services.actions.operations.kinds import block_commands, correction, export, former_employees, list_members, resend
from services.actions.operations.kinds.operation_kind import OperationKind

REGISTRY: Mapping[Operation, OperationKind] = {
    Operation.EXPORT: export.EXPORT,
    Operation.COPY_TO_SELECTION: list_members.copy_to_new(ListKind.SELECTION),
    Operation.ADD_TO_SELECTION: list_members.add_to_known(ListKind.SELECTION),
    Operation.COPY_TO_PROJECT: list_members.copy_to_new(ListKind.PROJECT),
    Operation.ADD_TO_PROJECT: list_members.add_to_known(ListKind.PROJECT),
    Operation.DELETE_ADDRESSES: block_commands.DELETE,
    Operation.CLEAR_BOUNCE_FLAG: block_commands.CLEAR,
    Operation.BLOCK: block_commands.BLOCK,
    Operation.SET_FORMER_EMPLOYEE: former_employees.SET_FORMER,
    Operation.SET_BACK_FORMER_EMPLOYEE: former_employees.SET_BACK,
    Operation.CORRECT_ADDRESS: correction.CORRECT,
    Operation.SEND_AGAIN: resend.RESEND,
}
