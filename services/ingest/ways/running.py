"""All ways in for mails that are set up, running inside the service."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from services.ingest.mailroom import Mailroom
from services.ingest.settings import Settings
from services.ingest.ways import smtp
from services.ingest.ways.folder import Spool
from services.ingest.ways.imap import Postbox
from services.ingest.ways.settings import load
from services.ingest.ways.sorting import Sorter
from shared.service import Service

State = Callable[[], dict[str, Any]]


def install(service: Service[Settings], mailroom: Mailroom) -> None:
    """Run the ways that the settings name, and show them in the health. Raises `InvalidSettings`."""
    ways = load(service.settings.mail_file)
    states: dict[str, State] = {}

    for mailbox in ways.mailboxes:
        postbox = Postbox(mailbox, Sorter(mailroom, ways, "imap", mailbox))
        states[f"imap {mailbox.name}"] = postbox.state
        service.background(f"imap {mailbox.name}", postbox.run)
    for folder in ways.folders:
        spool = Spool(folder, Sorter(mailroom, ways, folder.kind, folder))
        states[f"{folder.kind} {folder.name}"] = spool.state
        service.background(f"{folder.kind} {folder.name}", spool.run)

    @asynccontextmanager
    async def listening(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for number, listener in enumerate(ways.listeners, 1):
                state = await stack.enter_async_context(smtp.serve(listener, ways, mailroom))
                states[f"{listener.protocol} {number}"] = state
            yield

    async def look() -> dict[str, Any]:
        return {name: state() for name, state in states.items()}

    if ways.listeners:
        service.routes(APIRouter(lifespan=listening))
    if ways.listeners or states:
        service.add_health_check("mail", look)
