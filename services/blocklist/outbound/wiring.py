"""Adding the webhooks to the service."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

from returpost.contracts import WebhookDisabled
from services.blocklist.outbound.destination import Rules
from services.blocklist.outbound.following import Posting
from services.blocklist.outbound.posting import Poster
from services.blocklist.outbound.running import Followers
from services.blocklist.settings import Settings
from shared.service import Service


def wire(service: Service[Settings], clock: Callable[[], datetime]) -> None:
    """Add posting to the background of the service; its routes are in `api`."""
    settings = service.settings
    rules = Rules(settings.webhook_networks, settings.webhook_plain_http)

    async def post() -> None:
        poster = Poster(rules, settings.webhook_timeout)
        posting = Posting(service.pool, service.uow_factory, poster, uuid4(), clock)
        keep = timedelta(days=settings.webhook_log_days)
        url = settings.amqp_url.get_secret_value()
        try:
            await Followers(posting, url, settings.webhook_lease, keep).run(settings.webhook_interval)
        finally:
            await asyncio.shield(poster.close())

    service.background("webhooks", post)
    service.publishes(WebhookDisabled, "webhook.disabled.{tenant}")
    service.app.state.webhook_rules = rules
