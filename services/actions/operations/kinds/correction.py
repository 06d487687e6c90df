"""Correct one address, or misspelt domains of several: the new address replaces the old one in the contact."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from returpost.contracts import Address, AddressErase, Id
from returpost.contracts.addresses import key, normalise
from services.actions.mailings.repository.erasures import lock_out_erasures
from services.actions.operations.domain import Part, Refused, StoredOperation
from services.actions.operations.kinds.block_commands import send_command
from services.actions.operations.kinds.former_employees import emit_contacts, tell_addresses
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind, Parameters
from services.actions.operations.repository import corrections, operations
from services.actions.operations.repository.former_employees import lock_contacts
from shared.messaging.unit_of_work import UnitOfWork

MAX_DOMAINS = 50


def _domain(text: str) -> str:
    return normalise(f"x@{text}").rpartition("@")[2]


Domain = Annotated[str, Field(max_length=254), AfterValidator(_domain)]


class Correction(Parameters):
    """The new address, or the right domains. The preview validates them; programs that send commands do it themselves.

    One address is corrected to `new`; `domains` has the right domain by the misspelt one, for any number of addresses.
    """

    new: Address | None = None
    domains: Annotated[dict[Domain, Domain], Field(max_length=MAX_DOMAINS)] = Field(default_factory=dict)
    contact: Id | None = None
    """The contact to correct; none: all that have the address."""
    erase_old: bool = False
    """Erase the old address for ever; else it keeps its history."""
    anyway: bool = False
    """Correct although the new address does not seem to accept mail."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.new is None) == (not self.domains):
            raise ValueError("new, domains: name one of them")
        return self

    def right(self, old: str) -> str:
        """Return what an address is corrected to. Raises `Refused` for a domain that is not named."""
        if self.new is not None:
            return self.new
        local, _, domain = old.rpartition("@")
        if domain not in self.domains:
            raise Refused("its domain is none of those that are corrected")
        return f"{local}@{self.domains[domain]}"

    def checked(self) -> list[str]:
        """Return the addresses to validate: the new one, or one of each right domain."""
        return [self.new] if self.new is not None else [f"postmaster@{domain}" for domain in self.domains.values()]


async def _correct(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    parameters = Correction.model_validate(operation.parameters)
    connection, tenant = work.connection, operation.tenant
    await lock_out_erasures(connection)
    touched: list[str] = []
    for old in await operations.open_addresses(connection, part):
        owners = await corrections.owners(connection, tenant, old, parameters.contact)
        if not owners:
            raise Refused("the contact no longer has this address")
        await lock_contacts(connection, tenant, owners)
        written = parameters.right(old)
        new = (key(written), written)
        await corrections.correct(connection, operation, part, old, new, owners)
        await emit_contacts(work, operation, owners, "correct")
        touched += (old, new[0])
        if parameters.erase_old:
            send_command(work, operation, part, AddressErase, [old])
    await tell_addresses(work, operation, part, touched, "correct")
    return None


async def _undo(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    restored = await corrections.restore(work.connection, operation, part)
    await emit_contacts(work, operation, restored, "uncorrect")
    parameters = Correction.model_validate(operation.parameters)
    old = await operations.open_addresses(work.connection, part)
    await tell_addresses(work, operation, part, [*old, *(key(parameters.right(each)) for each in old)], "uncorrect")
    return None


def _max_rows(parameters: Correction) -> int | None:
    return None if parameters.domains else 1


CORRECT = OperationKind(
    apply=_correct, undo=_undo, parameters=Correction, skip=corrections.SKIP, part_rows=1, max_rows=_max_rows
)
