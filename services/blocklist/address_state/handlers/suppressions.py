"""What is said of the person behind an address: unsubscribed, subscribed again, has left, has come back."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from returpost.contracts import SubscriptionConfirmed, SuppressionLift, SuppressionSet, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import BlockCause, Fault, Reason, UnblockCause
from services.blocklist.address_state.handlers.command_undo import emit_applied
from services.blocklist.address_state.handlers.commands import timely
from services.blocklist.address_state.handlers.results import drop_erased
from services.blocklist.address_state.ports import OpenRepository
from services.blocklist.address_state.records import Command, HistoryEntry, Key, Subscription, Trigger
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.messaging.unit_of_work import UnitOfWork

Clock = Callable[[], datetime]
Commands = Sequence[Event[SuppressionSet] | Event[SuppressionLift]]

RULE = "by-hand"
"""The rule that the history names for an unsubscribe that somebody entered."""


async def handle_suppression_set(
    events: Sequence[Event[SuppressionSet]],
    work: UnitOfWork,
    clock: Clock,
    tolerance: timedelta,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Skip addresses for a cause that no clear and no delivery lifts."""
    repository = open_repository(work)
    commands = list(timely(events, work, clock(), tolerance))
    triggers = _triggers(commands)
    await repository.lock_or_create(dict.fromkeys(triggers))
    await repository.set_former(_former(commands))
    await repository.add_history(
        _unsubscribe(command, address)
        for command in commands
        if command.data.cause is BlockCause.UNSUBSCRIBED
        for address in command.data.addresses
    )
    await reevaluate(work, repository, triggers, UnblockCause.LIFTED, clock())
    emit_applied(commands, work)


async def handle_suppression_lift(
    events: Sequence[Event[SuppressionLift]],
    work: UnitOfWork,
    clock: Clock,
    tolerance: timedelta,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Have a cause no longer hold as of the time of the command."""
    repository = open_repository(work)
    commands = list(timely(events, work, clock(), tolerance))
    triggers = _triggers(commands)
    await repository.lock_or_create(dict.fromkeys(triggers))
    await repository.lift_former(_former(commands))
    await repository.subscribe(
        Subscription((command.tenant, key(address)), command.data.stream, _command(command))
        for command in commands
        if command.data.cause is BlockCause.UNSUBSCRIBED
        for address in command.data.addresses
    )
    await reevaluate(work, repository, triggers, UnblockCause.LIFTED, clock())
    emit_applied(commands, work)


async def handle_subscriptions(
    events: Sequence[Event[SubscriptionConfirmed]],
    work: UnitOfWork,
    clock: Clock,
    tolerance: timedelta,
    open_repository: OpenRepository = PostgresRepository.of,
) -> None:
    """Have earlier unsubscribes no longer hold; what happened before its address was erased is left out."""
    repository = open_repository(work)
    confirmed = await drop_erased(repository, list(timely(events, work, clock(), tolerance)))
    triggers: dict[Key, Trigger] = {}
    subscriptions: list[Subscription] = []
    for event in confirmed:
        data, by = event.data, event.data.source or event.source
        whose = (event.tenant, key(data.address))
        triggers[whose] = Trigger(event.id, data.time, by)
        subscriptions.append(Subscription(whose, data.stream, (data.time, by, "")))
    await repository.lock_or_create(dict.fromkeys(triggers))
    await repository.subscribe(subscriptions)
    await reevaluate(work, repository, triggers, UnblockCause.SUBSCRIBED, clock())


def _triggers(commands: Commands) -> dict[Key, Trigger]:
    triggers: dict[Key, Trigger] = {}
    for command in sorted(commands, key=lambda each: each.data.time):
        data = command.data
        trigger = Trigger(command.id, data.time, data.by, data.operation, data.note)
        triggers |= {(command.tenant, key(address)): trigger for address in data.addresses}
    return triggers


def _former(commands: Commands) -> dict[Key, Command]:
    """Return by address the last command that says of somebody that they have left, or have not."""
    last: dict[Key, Command] = {}
    for command in commands:
        if command.data.cause is BlockCause.FORMER_EMPLOYEE:
            for address in command.data.addresses:
                whose = (command.tenant, key(address))
                last[whose] = max(last.get(whose, _command(command)), _command(command))
    return last


def _command(event: Event[SuppressionSet] | Event[SuppressionLift]) -> Command:
    return event.data.time, event.data.by, event.data.note


def _unsubscribe(command: Event[SuppressionSet], address: str) -> HistoryEntry:
    data = command.data
    return HistoryEntry(
        command.tenant,
        key(address),
        UUID(ids.derived(command.id, f"unsubscribe {key(address)}")),
        data.time,
        False,
        "",
        Reason.UNSUBSCRIBE,
        Fault.NONE,
        RULE,
        None,
        ": ".join(part for part in (data.by, data.note) if part),
        data.stream,
    )
