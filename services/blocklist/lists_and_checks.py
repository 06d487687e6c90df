"""The wiring of what goes beyond one event: imports in the background, and checks of whole files."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

from services.blocklist.imports.working import work_off_next
from services.blocklist.prefilter import Prefilters
from services.blocklist.settings import Settings
from shared.service import Service


def wire(service: Service[Settings], clock: Callable[[], datetime]) -> None:
    """Add it to the service."""
    list_received = asyncio.Event()

    async def imports() -> None:
        list_received.clear()
        if not await work_off_next(service.effects, clock()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(list_received.wait(), service.settings.import_interval.total_seconds())

    service.background("imports", imports)
    service.app.state.list_received = list_received
    service.app.state.prefilters = Prefilters(lambda: service.pool)
    service.streams("/v1/check", "/v1/blocks/imports", "/v1/reconcile")
