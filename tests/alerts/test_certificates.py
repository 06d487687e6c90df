"""Certificates that end: which are watched, when people are told, and how they are read."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from returpost.cli.run.status import until
from returpost.contracts.enums import Severity
from returpost.errors import InvalidSettings
from services.alerts.certificates import expiring, watched
from services.alerts.domain.alert import SOON, alert_of
from services.alerts.settings import Settings
from shared.outbound.tls_certificate import Endpoint, Opening, endpoints_of, valid_until
from tests.alerts.certificate import certificate_file, serving
from tests.alerts.mail_server import mail_server

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
NOTICE = timedelta(days=14)
HERE = Endpoint("rabbitmq mq:5671", "mq", 5671)


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("https://console.example.com/a?b=c", [("console.example.com", 443, "tls")]),
        ("amqps://u:p%40@a,b:5673/v", [("a", 5671, "tls"), ("b", 5673, "tls")]),
        ("amqp://a:5672/v", []),
        ("postgresql://u:p@db/x?sslmode=verify-full", [("db", 5432, "postgresql")]),
        ("postgres://db:6000/x?sslmode=require", [("db", 6000, "postgresql")]),
        ("postgresql://u:p@db/x", []),
        ("smtps://u:p@mail", [("mail", 465, "tls")]),
        ("smtp+starttls://mail:25", [("mail", 25, "smtp")]),
        ("smtp://mail", []),
        ("imaps://[2001:db8::1]", [("2001:db8::1", 993, "tls")]),
        ("imap+starttls://mail", [("mail", 143, "imap")]),
        ("", []),
    ],
)
def test_endpoints_are_those_of_urls_that_speak_tls(url: str, places: list[tuple[str, int, str]]) -> None:
    assert [(one.host, one.port, one.opening) for one in endpoints_of(url)] == places


def test_a_url_that_is_none_is_refused_without_telling_it() -> None:
    with pytest.raises(InvalidSettings) as refused:
        endpoints_of("https://u:secret@h:port")
    assert "secret" not in str(refused.value)


def test_an_endpoint_is_watched_once() -> None:
    settings = Settings.model_validate(
        {
            "amqp_url": "amqps://u:p@mq/v", "console_url": "https://c", "token_keys": "k" * 64,
            "certificate_urls": ["https://c:443/x", "smtp+starttls://mail:25"],
        }
    )  # fmt: skip
    assert [one.name for one in watched(settings)] == ["rabbitmq mq:5671", "console c:443", "mail:25"]


@given(st.timedeltas(timedelta(days=-30), timedelta(days=60)), st.timedeltas(timedelta(0), timedelta(days=1)))
def test_a_certificate_is_one_alert_a_severity(left: timedelta, later: timedelta) -> None:
    """Nothing before the notice, a warning in it, critical from two days on; the same however often it is said."""
    event = expiring(HERE, NOW + left, NOW, NOTICE)
    assert (event is None) == (left > NOTICE)
    if event is None:
        return
    alert = alert_of(event, show_addresses=False)
    assert alert is not None
    assert alert.severity is (Severity.CRITICAL if left <= SOON else Severity.WARNING)
    again = expiring(HERE, NOW + left, NOW + later, NOTICE)
    assert again is not None
    repeated = alert_of(again, show_addresses=False)
    assert repeated is not None
    assert (repeated.id == alert.id) == (repeated.severity is alert.severity)


def test_an_end_is_told_in_days() -> None:
    assert until("2026-12-04T00:00:00+00:00", NOW) == "valid until 2026-12-04 00:00 UTC (2.5 days)"
    assert until("2026-11-30T12:00:00+00:00", NOW) == "expired 2026-11-30 12:00 UTC (1.0 days)"


@asynccontextmanager
async def postgres(context: ssl.SSLContext, answer: bytes) -> AsyncIterator[int]:
    """Run a server that is asked for TLS once, as PostgreSQL is, and answers this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection, suppress(OSError):
                if connection.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f":
                    connection.sendall(answer)
                    if answer == b"S":
                        with context.wrap_socket(connection, server_side=True) as secured:
                            secured.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        await asyncio.to_thread(thread.join, 10)


@pytest.mark.anyio
@pytest.mark.parametrize("left", [timedelta(days=3), timedelta(days=-3)])
async def test_a_certificate_is_read_by_every_protocol_though_it_has_ended(tmp_path: Path, left: timedelta) -> None:
    end = (datetime.now(UTC) + left).replace(microsecond=0)
    context = serving(certificate_file(tmp_path, end))

    async def read(port: int, opening: Opening) -> datetime:
        return await valid_until(Endpoint("x", "127.0.0.1", port, opening), 10)

    async with mail_server(tls=context) as plain, mail_server(starttls=context) as turned:
        assert await read(plain.port, "tls") == end
        assert await read(turned.port, "smtp") == end
    async with postgres(context, b"S") as port:
        assert await read(port, "postgresql") == end
    async with postgres(context, b"N") as port:
        with pytest.raises(ConnectionError):
            await read(port, "postgresql")
    async with postgres(context, b"") as port:
        with pytest.raises(TimeoutError):
            await valid_until(Endpoint("x", "127.0.0.1", port, "imap"), 0.05)
