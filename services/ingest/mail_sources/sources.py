"""All ways in for mails that are set up, running inside the service."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from services.ingest.mail_sources import smtp_server
from services.ingest.mail_sources.imap_poller import ImapPoller
from services.ingest.mail_sources.ingestion import MailIngestion
from services.ingest.mail_sources.maildir_poller import MaildirPoller
from services.ingest.mail_sources.settings import load
from services.ingest.mail_sources.tenant_router import TenantRouter
from services.ingest.settings import Settings
from shared.service import Service

State = Callable[[], dict[str, Any]]


def run_sources(service: Service[Settings], ingestion: MailIngestion) -> None:
    """Run the sources that the settings name, and show them in the health. Raises `InvalidSettings`."""
    sources = load(service.settings.mail_file)
    states: dict[str, State] = {}

    for mailbox in sources.mailboxes:
        poller = ImapPoller(mailbox, TenantRouter(ingestion, sources, "imap", mailbox))
        states[f"imap {mailbox.name}"] = poller.state
        service.background(f"imap {mailbox.name}", poller.run)
    for folder in sources.folders:
        watcher = MaildirPoller(folder, TenantRouter(ingestion, sources, folder.kind, folder))
        states[f"{folder.kind} {folder.name}"] = watcher.state
        service.background(f"{folder.kind} {folder.name}", watcher.run)

    @asynccontextmanager
    async def listening(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for number, listener in enumerate(sources.listeners, 1):
                state = await stack.enter_async_context(smtp_server.serve(listener, sources, ingestion))
                states[f"{listener.protocol} {number}"] = state
            yield

    async def look() -> dict[str, Any]:
        return {name: state() for name, state in states.items()}

    if sources.listeners:
        service.routes(APIRouter(lifespan=listening))
    if sources.listeners or states:
        service.add_health_check("mail", look)
