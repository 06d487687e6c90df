"""Until when the certificate of a TLS endpoint is valid; whether it is to be trusted is for those who use it."""

import asyncio
import ssl
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_der_x509_certificate

from returpost.errors import InvalidSettings

Opening = Literal["tls", "postgresql", "smtp", "imap"]
"""What stands before TLS: nothing, or the words with which the protocol turns to it."""
SCHEMES: Final[dict[str, tuple[Opening, int]]] = {
    "https": ("tls", 443),
    "amqps": ("tls", 5671),
    "smtps": ("tls", 465),
    "imaps": ("tls", 993),
    "postgresql": ("postgresql", 5432),
    "smtp+starttls": ("smtp", 587),
    "imap+starttls": ("imap", 143),
}
MAX_LINES: Final = 50
"""Of one answer to EHLO."""
_SSL_REQUEST: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where TLS is spoken."""

    name: str
    host: str
    port: int
    opening: Opening = "tls"


def endpoints_of(url: str, name: str = "") -> list[Endpoint]:
    """Return the endpoints of a URL, which may name several hosts; none when it does not speak TLS.

    Each is named by its host and port, after the name if there is one. Raises `InvalidSettings`, without the URL.
    """
    scheme, _, rest = url.partition("://")
    scheme = {"postgres": "postgresql"}.get(scheme, scheme)
    if scheme not in SCHEMES or (
        scheme == "postgresql" and parse_qs(urlsplit(url).query).get("sslmode", ["prefer"])[-1] in ("disable", "prefer")
    ):
        return []
    opening, usual = SCHEMES[scheme]
    found = []
    for one in rest.partition("/")[0].partition("?")[0].rpartition("@")[2].split(","):
        try:
            parts = urlsplit(f"//{one}")
            host, port = parts.hostname, parts.port or usual
        except ValueError:
            raise InvalidSettings(f"{name or 'URL'}: a host and a port") from None
        if host:
            place = f"{host}:{port}"
            found.append(Endpoint(f"{name} {place}".strip(), host, port, opening))
    return found


async def valid_until(endpoint: Endpoint, limit: float) -> datetime:
    """Return until when the certificate is valid. Raises `OSError`, also when it takes more seconds than the limit.

    Nothing is sent but what opens TLS, so any certificate will do: one that has expired must be read as well.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    direct = context if endpoint.opening == "tls" else None
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=direct)
            if direct is None:
                await _open(reader, writer, endpoint.opening)
                await writer.start_tls(context, server_hostname=endpoint.host)
            encoded = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    except (asyncio.IncompleteReadError, ValueError) as error:
        raise ConnectionError(f"{endpoint.name}: {type(error).__name__}") from None
    finally:
        if writer is not None:
            writer.transport.abort()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return load_der_x509_certificate(encoded).not_valid_after_utc


async def _open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opening: Opening) -> None:
    """Say what turns a connection to TLS. Raises `ConnectionError` when the other side does not want to."""
    if opening == "postgresql":
        writer.write(_SSL_REQUEST)
        good = await reader.readexactly(1) == b"S"
    elif opening == "smtp":  # RFC 3207
        await _answer(reader)
        writer.write(b"EHLO returpost\r\n")
        await _answer(reader)
        writer.write(b"STARTTLS\r\n")
        good = (await _answer(reader)).startswith(b"220")
    else:  # RFC 9051 section 6.2.1
        await reader.readline()
        writer.write(b"a STARTTLS\r\n")
        good = (await reader.readline()).upper().startswith(b"A OK")
    if not good:
        raise ConnectionError("it does not turn to TLS")


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Return the last line of an answer of SMTP, RFC 5321 section 4.2.1."""
    for _ in range(MAX_LINES):
        line = await reader.readline()
        if line[3:4] != b"-":
            return line
    raise ConnectionError("an answer without an end")
