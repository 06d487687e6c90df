"""SMTP and LMTP (RFC 5321, RFC 2033): a mail is answered with 250 when RabbitMQ has it, with 451 when it has not."""

import asyncio
import errno
import socket
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import Counter as Metric

from returpost.errors import InvalidSettings
from services.ingest.mail_sources.ingestion import MAX_MAIL, MailIngestion
from services.ingest.mail_sources.settings import Listener, MailSources, Recipient, tls_of
from shared.transient_errors import is_infrastructure

MAX_LINE = 256 * 1024
"""Reports hold messages of others, who do not always keep to 998 octets a line."""
SOCKET_MODE = 0o666
"""Of a UNIX socket: a mail server is another user, and the folder says which users come so far."""
REFUSED = Metric("returpost_smtp_refused_total", "What SMTP and LMTP did not take", ["protocol", "reason"])
"""reason: connections, rate, recipient, recipients, unavailable."""

log = structlog.get_logger()


class Peers:
    """What each client does now, within its limits."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._connections: Counter[str] = Counter()
        self._mails: defaultdict[str, list[float]] = defaultdict(list)

    @property
    def connections(self) -> int:
        """How many there are."""
        return self._connections.total()

    def enter(self, peer: str) -> bool:
        """Count a connection; false when it is one too many."""
        most, of_one = self._listener.max_connections, self._listener.max_connections_per_peer
        if self.connections >= most or self._connections[peer] >= of_one:
            return False
        self._connections[peer] += 1
        return True

    def leave(self, peer: str) -> None:
        """Count a connection that is gone."""
        self._connections[peer] -= 1
        if self._connections[peer] <= 0:
            del self._connections[peer]

    def may_send(self, peer: str, now: float) -> bool:
        """Count a mail; false when it is one too many in this minute."""
        recent = self._mails[peer] = [sent for sent in self._mails[peer] if sent > now - 60]
        if len(recent) >= self._listener.max_mails_per_minute:
            return False
        recent.append(now)
        if len(self._mails) > 10_000:
            self._mails = defaultdict(
                list, {name: sent for name, sent in self._mails.items() if sent[-1:] > [now - 60]}
            )
        return True


class Reception:
    """The handler of one listener: what it answers to each command."""

    def __init__(self, listener: Listener, sources: MailSources, ingestion: MailIngestion, peers: Peers) -> None:
        self.taken = 0
        self._listener = listener
        self._ways = sources
        self._mailroom = ingestion
        self._peers = peers

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient whom mail is taken for."""
        if len(envelope.rcpt_tos) >= self._listener.max_recipients:
            return self._refuse("recipients", "452 4.5.3 too many recipients")
        if self._ways.whose([address]) is None:
            return self._refuse("recipient", "550 5.1.1 no mail is taken for this address here")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail: one answer, or in LMTP one for each recipient (RFC 2033 section 4.2)."""
        peer = _peer(session.peer)
        if not self._peers.may_send(peer, time.monotonic()):
            answers = {
                address: self._refuse("rate", "451 4.7.1 too many mails; later") for address in envelope.rcpt_tos
            }
        else:
            answers = await self._take(envelope)
        if self._listener.protocol == "lmtp":
            return "\r\n".join(answers[address] for address in envelope.rcpt_tos)
        return max(answers.values())  # one that was not taken is sent again, and what was is recognised

    async def handle_exception(self, error: Exception) -> str:
        """Say that it is our fault, and no more."""
        log.error("SMTP failed", exc_info=error)
        return "451 4.3.0 something is wrong here; try again"

    async def _take(self, envelope: Envelope) -> dict[str, str]:
        groups: defaultdict[Recipient, list[str]] = defaultdict(list)
        for address in envelope.rcpt_tos:
            if (recipient := self._ways.whose([address])) is not None:
                groups[recipient].append(address)
        body = delivered(envelope)
        parts = await asyncio.gather(
            *(self._hand_over(body, recipient, addresses) for recipient, addresses in groups.items())
        )
        return {address: answer for part in parts for address, answer in part.items()}

    async def _hand_over(self, body: bytes, whose: Recipient, addresses: list[str]) -> dict[str, str]:
        try:
            read = await self._mailroom.take(
                body,
                tenant=whose.tenant,
                sender=whose.sender,
                source=self._listener.protocol,
                sent_to=addresses,
                stream=whose.stream,
            )
        except Exception as error:
            if not is_infrastructure(error):
                raise
            log.warning("a mail was not taken: RabbitMQ is away", error=type(error).__name__)
            return dict.fromkeys(addresses, self._refuse("unavailable", "451 4.3.0 not taken, try again later"))
        self.taken += 1
        return dict.fromkeys(addresses, f"250 2.0.0 OK {read.identity}")

    def _refuse(self, reason: str, answer: str) -> str:
        REFUSED.labels(self._listener.protocol, reason).inc()
        return answer


def delivered(envelope: Envelope) -> bytes:
    """Return the mail with its return path in front, as final delivery has it (RFC 5321 section 4.4)."""
    content = envelope.original_content or b""
    path = (envelope.mail_from or "").strip("<>").encode("utf-8", "replace")
    return b"Return-Path: <" + path + b">\r\n" + content


def listening(
    listener: Listener, sources: MailSources, ingestion: MailIngestion
) -> tuple[Reception, Peers, Callable[[], SMTP]]:
    """Return what a listener is made of. Raises `InvalidSettings` for a certificate that cannot be used."""
    peers = Peers(listener)
    reception = Reception(listener, sources, ingestion, peers)
    kind = _bounded(LMTP if listener.protocol == "lmtp" else SMTP, peers, listener.protocol)
    context = tls_of(listener)

    def connection() -> SMTP:
        return kind(
            reception,
            data_size_limit=MAX_MAIL,
            enable_SMTPUTF8=True,
            hostname=listener.hostname,
            ident="Returpost",
            tls_context=context,
            require_starttls=listener.require_tls,
            timeout=listener.timeout,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )

    return reception, peers, connection


@asynccontextmanager
async def serve(
    listener: Listener, sources: MailSources, ingestion: MailIngestion
) -> AsyncIterator[Callable[[], dict[str, Any]]]:
    """Listen until the block ends; give what tells how it is. Raises `InvalidSettings` when the place is taken."""
    reception, peers, connection = listening(listener, sources, ingestion)
    loop = asyncio.get_running_loop()
    place: dict[str, Any] = {}
    try:
        if listener.socket is not None:
            server = await loop.create_unix_server(connection, sock=bound(listener.socket))
            place = {"socket": str(listener.socket)}
        else:
            server = await loop.create_server(connection, listener.host, listener.port)
            place = {"port": server.sockets[0].getsockname()[1]}
    except OSError as error:
        where = listener.socket or f"{listener.host}:{listener.port}"
        raise InvalidSettings(f"{listener.protocol} on {where}: {error}") from None

    def state() -> dict[str, Any]:
        return {"ok": server.is_serving(), **place, "connections": peers.connections, "taken": reception.taken}

    async with server:
        yield state


def bound(path: Path) -> socket.socket:
    """Return a UNIX socket at the path; one that was left behind is taken away. Raises `OSError`."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
                    raise OSError(errno.EADDRINUSE, "somebody listens there")
            path.unlink()
        made.bind(str(path))
        path.chmod(SOCKET_MODE)
    except OSError:
        made.close()
        raise
    return made


def _bounded(kind: type[SMTP], peers: Peers, protocol: str) -> type[SMTP]:
    class Bounded(kind):  # type: ignore[misc, valid-type]
        """Lets in as many connections as agreed."""

        line_length_limit = MAX_LINE
        entered: str | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            if self._original_transport is None:  # else STARTTLS over the same connection
                peer = _peer(transport.get_extra_info("peername"))
                if not peers.enter(peer):
                    REFUSED.labels(protocol, "connections").inc()
                    transport.write(b"421 4.7.0 too many connections; later\r\n")  # type: ignore[attr-defined]
                    transport.close()
                    return
                self.entered = peer
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            if self.entered is None:
                return
            if not self._left:
                self._left = True
                peers.leave(self.entered)
            super().connection_lost(error)

        def eof_received(self) -> bool | None:
            return None if self.entered is None else super().eof_received()

        _left = False

    return Bounded


def _peer(name: Any) -> str:
    return str(name[0]) if isinstance(name, tuple) and name else "local"
