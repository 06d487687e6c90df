"""One e-mail to the mail server of the installation, with TLS and login as its URL says; what went wrong in words."""

import asyncio
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from returpost.contracts.addresses import hide_addresses
from returpost.errors import InvalidSettings
from shared.outbound.answer import NO_ANSWER, Answer

Security = Literal["tls", "starttls", "none"]
SCHEMES: Final[dict[str, tuple[Security, int]]] = {
    "smtps": ("tls", 465),
    "smtp+starttls": ("starttls", 587),
    "smtp": ("none", 25),
}
"""RFC 8314 section 7.3, RFC 6409 section 3.1, RFC 5321 section 4.5.4.2."""
TAKEN: Final = 250
NOT_SET: Final = "no mail server is set: RETURPOST_ALERTS_SMTP_URL"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed in, and as whom."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


def mail_server(url: str) -> MailServer:
    """Read the setting. Raises `InvalidSettings`, which never holds what it says."""
    schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    try:
        parts = urlsplit(url)
        security, usual = SCHEMES[parts.scheme]
        host, port = parts.hostname, parts.port or usual
    except (KeyError, ValueError):
        raise InvalidSettings(f"RETURPOST_ALERTS_SMTP_URL: {schemes} user:password@host:port") from None
    if not host:
        raise InvalidSettings("RETURPOST_ALERTS_SMTP_URL: names no host")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and security == "none":
        raise InvalidSettings("RETURPOST_ALERTS_SMTP_URL: a password goes over smtps:// or smtp+starttls:// alone")
    return MailServer(host, port, security, user, password)


async def send(server: MailServer | None, message: EmailMessage, limit: timedelta) -> Answer:
    """Hand in an e-mail and return what came of it; raises nothing."""
    if server is None:
        return Answer(NO_ANSWER, NOT_SET)
    began = time.monotonic()
    status, problem = await asyncio.to_thread(_send, server, message, limit.total_seconds())
    return Answer(status, problem, int((time.monotonic() - began) * 1_000))


def _send(server: MailServer, message: EmailMessage, seconds: float) -> tuple[int, str]:
    """Return the status, and what went wrong. It is sent when one recipient was taken: the others are named in the
    problem by their number, since the same again would reach the first twice."""
    try:
        return TAKEN, _refused(_hand_in(server, message, seconds))
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        return NO_ANSWER, problem_of(error, server.port, seconds)


def _hand_in(server: MailServer, message: EmailMessage, seconds: float) -> dict[str, tuple[int, bytes]]:
    """Hand it in; return which recipients were refused, if others were not. Raises what `smtplib` does."""
    tls = server.tls or ssl.create_default_context()
    with _connection(server, seconds, tls) as smtp:
        if server.security == "starttls":
            smtp.starttls(context=tls)
        if server.user:
            smtp.login(server.user, server.password)
        return smtp.send_message(message)


def problem_of(error: Exception, port: int, seconds: float) -> str:
    """Say what went wrong in words that help who set the server up; no address and no password is in them."""
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError):
        error = error.__context__
    match error:
        case smtplib.SMTPRecipientsRefused():
            return _refused(error.recipients)
        case smtplib.SMTPAuthenticationError():
            return f"authentication failed: {_reply(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPSenderRefused():
            return f"sender refused: {_reply(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPResponseException():
            return f"refused: {_reply(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPNotSupportedError():
            return f"the mail server does not offer it: {error}"[:200]
        case ssl.SSLCertVerificationError():
            return f"certificate not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}; is the port right?"
        case socket.gaierror():
            return "the host of the mail server is not known"
        case ConnectionRefusedError():
            return f"connection refused at port {port}"
        case TimeoutError():
            return f"no answer within {seconds:g} s"
        case _:
            return f"{type(error).__name__}: {hide_addresses(str(error))}"[:200]


def _connection(server: MailServer, seconds: float, tls: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=tls)
    return smtplib.SMTP(server.host, server.port, timeout=seconds)


def _refused(recipients: dict[str, tuple[int, bytes]]) -> str:
    if not recipients:
        return ""
    code, text = next(iter(recipients.values()))
    return f"{len(recipients)} recipients refused: {_reply(code, text)}"


def _reply(code: int, text: bytes | str) -> str:
    """Return what a server said, without the addresses in it."""
    said: Sequence[str] = (text.decode(errors="replace") if isinstance(text, bytes) else text).split()
    return hide_addresses(f"{code} {' '.join(said)}")[:200]
