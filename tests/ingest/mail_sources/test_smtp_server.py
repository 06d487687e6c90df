"""SMTP and LMTP, asked by Python's own clients over loopback: 250 means that RabbitMQ has it."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.samples import paths
from returpost.contracts.routing import DEAD_LETTERS
from returpost.errors import InvalidSettings
from services.ingest.app import create
from services.ingest.mail_sources import settings as ways_settings
from services.ingest.settings import Settings
from tests.ingest.mail_sources.ingested import certificate
from tests.ingest.probes import BOUNCED, receive_events
from tests.support.harness import Harness, RunningService, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]

BOUNCE = {path.name: path.read_bytes() for path in paths()}["postfix-user-unknown.eml"]
BOUNCE = BOUNCE.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
TO = "returns@bounces.acme.example"
RECIPIENTS = """
[[recipients]]
address = "bounces.acme.example"
tenant = "acme"
sender = "news"
[[recipients]]
address = "returns@shared.example"
tenant = "rival"
"""


@asynccontextmanager
async def listening(
    harness: Harness, folder: Path, protocol: str = "smtp", more: str = "", port: int = 0, **settings: Any
) -> AsyncIterator[tuple[RunningService, int]]:
    file = folder / "mail.toml"
    file.write_text(f'{RECIPIENTS}\n[[listeners]]\nprotocol = "{protocol}"\nport = {port}\n{more}\n')
    async with harness.running(create, Settings, "ingest", mail_file=file, **settings) as running:
        state = (await running.http.get("/health/ready")).json()["mail"][f"{protocol} 1"]
        assert state["ok"] is True
        yield running, state["port"]


def client(port: int, kind: type[smtplib.SMTP] = smtplib.SMTP) -> smtplib.SMTP:
    return kind("127.0.0.1", port, timeout=60, local_hostname="client.example")


async def ask(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


async def send(
    port: int, body: bytes = BOUNCE, to: str | list[str] = TO, kind: type[smtplib.SMTP] = smtplib.SMTP
) -> Any:
    def work() -> Any:
        with client(port, kind) as smtp:
            return smtp.sendmail("", to, body)

    return await ask(work)


async def test_a_mail_that_was_answered_with_250_is_in(harness: Harness, tmp_path: Path) -> None:
    async with listening(harness, tmp_path) as (running, port):
        assert await send(port) == {}
        assert await send(port) == {}
        told = await receive_events(harness, BOUNCED, 2)
        assert len({one["id"] for one in told}) == 1
        assert (told[0]["tenant"], told[0]["data"]["sender"]) == ("acme", "news")
        state = (await running.http.get("/health/ready")).json()["mail"]["smtp 1"]
        assert state["taken"] == 2

        async def kept() -> list[dict[str, Any]]:
            return list((await running.http.get("/v1/raw-messages", params={"source": "smtp"})).json()["items"])

        (report,) = await eventually(kept)
        exact = (await running.http.get(f"/v1/raw-messages/{report['id']}/body")).content
        assert exact == b"Return-Path: <>\r\n" + BOUNCE


async def test_the_return_path_of_the_envelope_tells_the_recipient(harness: Harness, tmp_path: Path) -> None:
    async with listening(harness, tmp_path) as (_, port):
        body = b"From: MAILER-DAEMON@mx.example\r\nSubject: failure notice\r\n\r\n550 5.1.1 no such user\r\n"
        await send(port, body, "bounces+m-77+eve=example.net@bounces.acme.example")
        (told,) = await receive_events(harness, BOUNCED, 1)
        assert (told["data"]["address"], told["data"]["mailing"]) == ("eve@example.net", "m-77")


async def test_whose_it_is_and_who_is_refused(harness: Harness, tmp_path: Path) -> None:
    async with listening(harness, tmp_path) as (_, port):
        given = [TO, "returns+tag@shared.example", "other@shared.example", "someone@elsewhere.example"]
        refused = await send(port, to=given)
        assert {address: answer[0] for address, answer in refused.items()} == {given[2]: 550, given[3]: 550}
        told = await receive_events(harness, BOUNCED, 2)
        assert {one["tenant"] for one in told} == {"acme", "rival"}
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await send(port, to="someone@elsewhere.example")


async def test_lmtp_answers_for_each_recipient(harness: Harness, tmp_path: Path) -> None:
    async with listening(harness, tmp_path, "lmtp") as (_, port):

        def work() -> list[tuple[int, bytes]]:
            with client(port, smtplib.LMTP) as lmtp:
                lmtp.ehlo()
                lmtp.mail("<>")
                assert [lmtp.rcpt(to)[0] for to in (TO, "x@nowhere.example", "returns@shared.example")] == [
                    250,
                    550,
                    250,
                ]
                first = lmtp.data(BOUNCE)
                answers = [first, lmtp.getreply()]
                assert lmtp.noop()[0] == 250
                return answers

        answers = await ask(work)
        assert [code for code, _ in answers] == [250, 250]
        assert {one["tenant"] for one in await receive_events(harness, BOUNCED, 2)} == {"acme", "rival"}


async def test_lmtp_over_a_unix_socket_takes_the_place_of_a_killed_one_and_not_of_a_living_one(
    harness: Harness, tmp_path: Path
) -> None:
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(str(path))
    file = tmp_path / "mail.toml"
    file.write_text(f'{RECIPIENTS}\n[[listeners]]\nprotocol = "lmtp"\nsocket = "{path}"\n')
    async with harness.running(create, Settings, "ingest", mail_file=file) as running:
        state = (await running.http.get("/health/ready")).json()["mail"]["lmtp 1"]
        assert (state["ok"], state["socket"]) == (True, str(path))

        def work() -> Any:
            with smtplib.LMTP(str(path)) as lmtp:
                return lmtp.sendmail("<>", TO, BOUNCE)

        assert await ask(work) == {}
        await receive_events(harness, BOUNCED, 1)
        with pytest.raises(InvalidSettings, match="somebody listens"):
            async with harness.running(create, Settings, "ingest", mail_file=file):
                pass


async def test_the_recipient_tells_what_kind_of_mail_it_was_unless_the_message_does(
    harness: Harness, tmp_path: Path
) -> None:
    file = tmp_path / "mail.toml"
    text = RECIPIENTS.replace('sender = "news"\n', 'sender = "news"\nstream = "marketing"\n')
    file.write_text(f"{text}\n[[listeners]]\nport = 0\n")
    said = BOUNCE.replace(b"\r\nX-Returpost-Mailing:", b"\r\nX-Returpost-Stream: service\r\nX-Returpost-Mailing:")
    assert said != BOUNCE
    async with harness.running(create, Settings, "ingest", mail_file=file) as running:
        port = (await running.http.get("/health/ready")).json()["mail"]["smtp 1"]["port"]
        await send(port, said)
        await send(port, said, "returns@shared.example")
        told = {one["tenant"]: one["data"]["stream"] for one in await receive_events(harness, BOUNCED, 2)}
        assert told == {"acme": "marketing", "rival": "service"}


async def test_starttls_and_nothing_without_it_when_it_is_demanded(harness: Harness, tmp_path: Path) -> None:
    pem, key = certificate()
    (tmp_path / "c.pem").write_bytes(pem)
    (tmp_path / "k.pem").write_bytes(key)
    more = f'certificate = "{tmp_path}/c.pem"\nkey = "{tmp_path}/k.pem"\nrequire_tls = true'
    async with listening(harness, tmp_path, more=more) as (_, port):
        with pytest.raises(smtplib.SMTPException):
            await send(port)

        def work() -> dict[str, Any]:
            with client(port) as smtp:
                smtp.starttls(context=ssl.create_default_context(cafile=str(tmp_path / "c.pem")))
                smtp.ehlo()
                assert "auth" not in smtp.esmtp_features or not smtp.esmtp_features["auth"].strip()
                return dict(smtp.sendmail("", TO, BOUNCE))

        assert await ask(work) == {}
        await receive_events(harness, BOUNCED, 1)


async def test_what_is_too_large_is_refused_for_good_and_the_connection_lives(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.mail_sources.smtp_server.MAX_MAIL", 100_000)
    async with listening(harness, tmp_path) as (_, port):

        def work() -> list[int]:
            with client(port) as smtp:
                smtp.ehlo()
                assert smtp.esmtp_features["size"] == "100000"
                codes = [smtp.mail("<>", ["SIZE=200000"])[0]]
                smtp.rset()
                smtp.mail("<>")
                smtp.rcpt(TO)
                codes.append(smtp.data(b"X: y\r\n\r\n" + b"z" * 70 + b"\r\n" + (b"z" * 70 + b"\r\n") * 2_000)[0])
                smtp.mail("<>")
                smtp.rcpt(TO)
                codes.append(smtp.data(BOUNCE)[0])
                return codes

        assert await ask(work) == [552, 552, 250]
        await receive_events(harness, BOUNCED, 1)


async def test_long_lines_and_any_bytes_are_taken(harness: Harness, tmp_path: Path) -> None:
    async with listening(harness, tmp_path) as (_, port):
        await send(port, b"\x00\xff" * 20_000 + b"\r\n.leading dot\r\n")
        await eventually(lambda: harness.depth(DEAD_LETTERS))
        (letter,) = await harness.take(DEAD_LETTERS)
        assert letter.body == b"Return-Path: <>\r\n" + b"\x00\xff" * 20_000 + b"\r\n.leading dot\r\n"


async def test_one_client_has_so_many_connections_and_mails_and_no_more(harness: Harness, tmp_path: Path) -> None:
    more = "max_connections_per_peer = 2\nmax_mails_per_minute = 2\nmax_recipients = 1"
    async with listening(harness, tmp_path, more=more) as (running, port):

        def work() -> tuple[list[int], bytes]:
            one, two = client(port), client(port)
            with socket.create_connection(("127.0.0.1", port), timeout=60) as third:
                refusal = third.makefile("rb").readline()
            codes = [smtp.sendmail("", TO, BOUNCE) == {} for smtp in (one, two)]
            assert codes == [True, True]
            one.mail("<>")
            found = [one.rcpt(TO)[0], one.rcpt(TO)[0], one.data(BOUNCE)[0]]
            one.quit()
            two.quit()
            return found, refusal

        codes, refusal = await ask(work)
        assert codes == [250, 452, 451]
        assert refusal.startswith(b"421 ")

        async def connections() -> int:
            return int((await running.http.get("/health/ready")).json()["mail"]["smtp 1"]["connections"])

        await eventually(connections, lambda number: number == 0)
        assert await ask(lambda: client(port).quit()[0]) == 221


async def test_while_rabbitmq_is_away_it_is_not_taken_and_the_next_try_is(harness: Harness, tmp_path: Path) -> None:
    async with proxy(harness.amqp_url) as way, listening(harness, tmp_path, amqp_url=way.url) as (_, port):
        await way.cut()
        with pytest.raises(smtplib.SMTPDataError) as caught:
            await send(port)
        assert caught.value.smtp_code == 451
        await way.mend()

        async def again() -> bool:
            try:
                return bool(await send(port) == {})
            except smtplib.SMTPDataError:
                return False

        await eventually(again)
        assert await receive_events(harness, BOUNCED, 1)


async def test_a_port_that_is_taken_stops_the_start(harness: Harness, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InvalidSettings, match="smtp on "):
        async with listening(harness, tmp_path, port=taken.getsockname()[1]):
            pass


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[listeners]]\nport = 1", "recipients"),
        ('[[mailboxes]]\nname = "a"\nhost = "h"\nuser = "u"', "password_file or oauth"),
        ('[[folders]]\nname = "a"\nkind = "mh"\npath = "/x"', "folders.0.kind"),
        ("[[listener]]\nport = 1", "listener"),
        (f'{RECIPIENTS}[[listeners]]\nport = 1\nsocket = "/x"', "a socket has no"),
        ("not toml", "mail.toml"),
        ('[[recipients]]\naddress = "a.example"\ntenant = "No Tenant"', "recipients.0.tenant"),
        (f"{RECIPIENTS}\n[[listeners]]\nrequire_tls = true", "certificate"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mail.toml"
    file.write_text(text)
    with pytest.raises(InvalidSettings, match=says):
        ways_settings.load(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="missing"):
        ways_settings.load(tmp_path / "missing.toml")
