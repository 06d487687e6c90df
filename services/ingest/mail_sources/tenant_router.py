"""Whose a mail is that came without an envelope: the way's own tenant, else by the addresses that its headers name."""

from email.parser import BytesHeaderParser
from email.utils import getaddresses

from returpost.errors import InvalidMessage
from services.ingest.mail_sources.ingestion import MailIngestion
from services.ingest.mail_sources.settings import Folder, Mailbox, MailSources

MAX_HEADERS = 64 * 1024
_SENT_TO = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to")


class TenantRouter:
    """Brings the mails of one way to the ingestion, in the name of whose they are."""

    def __init__(self, ingestion: MailIngestion, sources: MailSources, source: str, way: Mailbox | Folder) -> None:
        self._mailroom = ingestion
        self._ways = sources
        self._came_by = source
        self._way = way

    async def take(self, body: bytes) -> None:
        """Take a mail in. Raises `InvalidMessage` when nobody's, `Unavailable` when RabbitMQ did not confirm."""
        tenant, sender, stream = self._way.tenant, self._way.sender, self._way.stream
        if tenant is None:
            whose = self._ways.whose(sent_to(body))
            if whose is None:
                raise InvalidMessage("mail: none of its recipients is one of [[recipients]]")
            tenant, sender, stream = whose.tenant, sender or whose.sender, stream or whose.stream
        await self._mailroom.take(body, tenant=tenant, sender=sender, source=self._came_by, stream=stream)


def sent_to(body: bytes) -> list[str]:
    """Return the addresses that the headers say the mail was for, the surest first. Never raises."""
    try:
        headers = BytesHeaderParser().parsebytes(body[:MAX_HEADERS])
        values = [str(value) for name in _SENT_TO for value in headers.get_all(name, [])]
        return [address for _, address in getaddresses(values[:50]) if address]
    except (ValueError, LookupError, TypeError, IndexError, AttributeError):
        return []
