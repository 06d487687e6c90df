"""One e-mail to a real mail server: how it is handed in, and what is said when it is not."""

import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from returpost.errors import InvalidSettings
from services.alerts.delivery import smtp
from services.alerts.domain.channel import Language
from services.alerts.formats.email import trial_email
from shared.outbound.answer import Answer
from tests.alerts.certificate import certificate_file, serving
from tests.alerts.mail_server import PASSWORD, USER, mail_server

pytestmark = [pytest.mark.anyio]

MESSAGE = trial_email(
    "Prøve", "Hei på deg", "returpost@example.com", ["kari@example.com", "ola@example.com"], "msg_1",
    datetime(2026, 12, 1, tzinfo=UTC), Language.NORWEGIAN,
)  # fmt: skip


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    return certificate_file(tmp_path_factory.mktemp("tls"), datetime.now(UTC) + timedelta(days=1))


def url(scheme: str, port: int, password: str = PASSWORD) -> str:
    return f"{scheme}://{quote(USER, safe='')}:{quote(password, safe='')}@127.0.0.1:{port}"


async def send(setting: str, trusted: Path | None = None, seconds: float = 10) -> Answer:
    server = smtp.mail_server(setting)
    if trusted is not None:
        server = replace(server, tls=ssl.create_default_context(cafile=str(trusted)))
    return await smtp.send(server, MESSAGE, timedelta(seconds=seconds))


async def test_email_arrives_as_it_was_written() -> None:
    async with mail_server() as server:
        answer = await send(f"smtp://127.0.0.1:{server.port}")
    assert (answer.good, answer.problem) == (True, "")
    assert server.recipients == [["kari@example.com", "ola@example.com"]]
    (mail,) = server.messages
    assert (mail["Subject"], mail["Message-ID"]) == ("Prøve", "<msg_1@example.com>")
    assert "Hei på deg" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_email_goes_over_tls_with_a_login(scheme: str, certificate: Path) -> None:
    how = {"tls" if scheme == "smtps" else "starttls": serving(certificate)}
    async with mail_server(**how) as server:
        assert (await send(url(scheme, server.port), certificate)).good
        wrong = await send(url(scheme, server.port, "another"), certificate)
        assert (wrong.good, wrong.problem[:26]) == (False, "authentication failed: 535")
        untrusted = await send(url(scheme, server.port))
        assert untrusted.problem.startswith("certificate not accepted: ")
        assert not any(PASSWORD in one.problem for one in (wrong, untrusted))
        assert await server.count() == 1


async def test_without_the_tls_that_was_set_nothing_is_sent(certificate: Path) -> None:
    """Neither a password nor a message goes over a connection that somebody on the way has stripped of STARTTLS."""
    async with mail_server() as server:
        stripped = await send(url("smtp+starttls", server.port), certificate)
        assert "does not offer" in stripped.problem
        assert "is the port right" in (await send(url("smtps", server.port), certificate)).problem
        assert await server.count() == 0


async def test_what_went_wrong_is_said_in_words() -> None:
    async with mail_server() as server:
        at = f"smtp://127.0.0.1:{server.port}"
        server.refused = {"kari@example.com", "ola@example.com"}
        assert (await send(at)).problem == "2 recipients refused: 550 5.1.1 [address] no such user"
        server.refused, server.answers = set(), ["451 4.3.0 try later"]
        assert (await send(at)).problem == "refused: 451 4.3.0 try later"
    assert (await send(at)).problem == f"connection refused at port {server.port}"
    assert "is not known" in (await send("smtp://no-such-host.invalid")).problem
    assert (await smtp.send(None, MESSAGE, timedelta(seconds=1))).problem == smtp.NOT_SET


async def test_one_refused_recipient_does_not_have_the_others_told_twice() -> None:
    async with mail_server() as server:
        server.refused = {"ola@example.com"}
        answer = await send(f"smtp://127.0.0.1:{server.port}")
    assert (answer.good, answer.problem) == (True, "1 recipients refused: 550 5.1.1 [address] no such user")
    assert server.recipients == [["kari@example.com"]]


async def test_a_mail_server_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = await send(f"smtp://127.0.0.1:{silent.getsockname()[1]}", seconds=0.2)
    assert answer.problem == "no answer within 0.2 s"


@pytest.mark.parametrize(
    "setting",
    ["", "mail.example.com:25", "http://mail.example.com", "smtps://", "smtps://h:port", "smtp://u:secret@h:25"],
)
def test_a_wrong_setting_is_refused_without_saying_what_it_was(setting: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        smtp.mail_server(setting)
    assert "secret" not in str(raised.value)
    assert "RETURPOST_ALERTS_SMTP_URL" in str(raised.value)


def test_a_mail_server_does_not_show_its_password() -> None:
    server = smtp.mail_server("smtps://u%40x:p%2Fw@h")
    assert (server.user, server.password, server.port, server.security) == ("u@x", "p/w", 465, "tls")
    assert "p/w" not in repr(server)
