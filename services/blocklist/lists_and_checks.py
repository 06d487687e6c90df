"""The wiring of what goes beyond one event: imports in the background, and checks of whole files."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from returpost.amqp.publisher import Message
from returpost.contracts import AddressCheck, AddressCorrect, AddressCorrected
from returpost.contracts.routing import COMMANDS
from services.blocklist.asked import read_question, take_questions
from services.blocklist.corrections import take_corrections
from services.blocklist.imports.working import work_off_next
from services.blocklist.prefilter import Prefilters
from services.blocklist.settings import Settings
from shared.service import Service


def wire(service: Service[Settings], clock: Callable[[], datetime]) -> None:
    """Add it to the service."""
    list_received = asyncio.Event()

    async def imports() -> None:
        list_received.clear()
        if not await work_off_next(service.uow_factory, clock()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(list_received.wait(), service.settings.import_interval.total_seconds())

    service.background("imports", imports)
    service.app.state.list_received = list_received
    service.app.state.prefilters = Prefilters(lambda: service.pool)
    publish = partial(_publish, service)
    service.consume_raw(
        "blocklist.address-check",
        AddressCheck,
        partial(take_questions, publish=publish, clock=clock),
        read_question,
        exchange=COMMANDS,
    )
    corrections = partial(take_corrections, clock=clock)
    service.consume("blocklist.address-correct", AddressCorrect, corrections, exchange=COMMANDS)
    service.publishes(AddressCorrected, "address.corrected.{tenant}")
    service.allow_streaming_bodies("/v1/check", "/v1/blocks/imports", "/v1/reconcile")


async def _publish(service: Service[Settings], messages: Sequence[Message]) -> None:
    await service.publisher.publish(messages)  # whoever asked and is gone needs no answer
