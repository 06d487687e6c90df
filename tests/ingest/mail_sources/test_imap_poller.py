"""Mailboxes of a real IMAP server: a mail is moved or flagged when it is in, and not before; nothing is lost."""

import asyncio
import http.server
import json
import os
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

from deploy.demo.samples import paths
from returpost.contracts.routing import DEAD_LETTERS
from services.ingest.app import create
from services.ingest.mail_sources.imap_connection import Imap
from services.ingest.settings import Settings
from tests.ingest.mail_sources.dovecot import PASSWORD, Dovecot, dovecot
from tests.ingest.mail_sources.ingested import certificate
from tests.ingest.probes import BOUNCED, receive_events
from tests.support.harness import PATIENCE, TOKEN_KEY, Harness, RunningService, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]

BOUNCE = {path.name: path.read_bytes() for path in paths()}["postfix-user-unknown.eml"]
ACCESS_TOKEN, REFRESH_TOKEN = "an-access-token", "a-refresh-token"


class Authorization(http.server.BaseHTTPRequestHandler):
    """Gives an access token for a refresh token, and tells Dovecot whose a token is."""

    user = ""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        if self.path == "/token":
            good = form["refresh_token"] == [REFRESH_TOKEN] and form["client_id"] == ["returpost"]
            self._answer(200 if good else 400, {"access_token": ACCESS_TOKEN, "expires_in": 3600} if good else {})
        else:
            good = form.get("token") == [ACCESS_TOKEN]
            self._answer(200, {"active": good, "user": Authorization.user})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authorization() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authorization) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def proof() -> tuple[bytes, bytes]:
    return certificate()


@pytest.fixture(scope="module")
def server(authorization: str, proof: tuple[bytes, bytes]) -> Iterator[Dovecot]:
    with dovecot(proof, int(authorization.rpartition(":")[2])) as started:
        yield started


@pytest.fixture
def user(server: Dovecot) -> str:
    name = f"user-{uuid4().hex[:8]}"
    server.add_user(name)
    return name


def mail(n: int) -> bytes:
    return BOUNCE.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"%d\r\n" % n


def fill(server: Dovecot, user: str, mails: list[bytes], folder: str = "INBOX") -> None:
    client = server.client(user)
    for body in mails:
        assert client.append(folder, "", "", body)[0] == "OK"
    client.logout()


def count(server: Dovecot, user: str, folder: str, criteria: str = "ALL") -> int:
    client = server.client(user)
    opened = client.select(f'"{folder}"', readonly=True)[0] == "OK"
    found = client.search(None, criteria)[1][0].split() if opened else []
    client.logout()
    return len(found)


async def counted(server: Dovecot, user: str, folder: str, criteria: str = "ALL") -> int:
    return await asyncio.to_thread(count, server, user, folder, criteria)


@asynccontextmanager
async def reading(
    harness: Harness,
    server: Dovecot,
    user: str,
    folder: Path,
    more: str = 'tls = "none"',
    port: int = 0,
    **settings: Any,
) -> AsyncIterator[RunningService]:
    (folder / "password").write_text(PASSWORD + "\n")
    password = "" if "oauth" in more else f'password_file = "{folder}/password"\n'
    (folder / "mail.toml").write_text(
        f'[[mailboxes]]\nname = "returns"\nhost = "127.0.0.1"\nport = {port or server.imap}\nuser = "{user}"\n'
        f'tenant = "acme"\nsender = "news"\n{password}{more}\n'
    )
    async with harness.running(create, Settings, "ingest", mail_file=folder / "mail.toml", **settings) as running:
        yield running


async def state(running: RunningService) -> dict[str, Any]:
    return dict((await running.http.get("/health/ready")).json()["mail"]["imap returns"])


async def test_mails_are_moved_when_they_are_in_and_those_that_come_later_at_once(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    fill(server, user, [mail(n) for n in range(3)])
    async with reading(harness, server, user, tmp_path, 'tls = "none"\nidle = 1500') as running:
        told = await receive_events(harness, BOUNCED, 3)
        assert {(one["tenant"], one["data"]["sender"]) for one in told} == {("acme", "news")}
        await eventually(lambda: counted(server, user, "Returpost"), lambda number: number == 3)
        assert await counted(server, user, "INBOX") == 0
        await eventually(lambda: state(running), lambda seen: seen["taken"] == 3 and seen["ok"])
        for n in (3, 4):  # while it idles: it would look by itself in 25 minutes
            await asyncio.to_thread(fill, server, user, [mail(n)])
            await receive_events(harness, BOUNCED, 1)
        await eventually(lambda: counted(server, user, "Returpost"), lambda number: number == 5)
        assert await counted(server, user, "Returpost", "UNSEEN") == 5


async def test_flagged_ones_stay_where_they_are_and_are_not_taken_again(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    fill(server, user, [mail(n) for n in range(3)])
    more = 'tls = "none"\nthen = "flag"'
    async with reading(harness, server, user, tmp_path, more):
        await receive_events(harness, BOUNCED, 3)
        await eventually(lambda: counted(server, user, "INBOX", "KEYWORD Returpost"), lambda number: number == 3)
    fill(server, user, [mail(3)])
    async with reading(harness, server, user, tmp_path, more):
        await receive_events(harness, BOUNCED, 1)
        await eventually(lambda: counted(server, user, "INBOX", "KEYWORD Returpost"), lambda number: number == 4)
    assert await counted(server, user, "INBOX", "UNSEEN") == 4


async def test_they_are_deleted_only_when_that_is_asked_for(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    fill(server, user, [mail(n) for n in range(2)])
    async with reading(harness, server, user, tmp_path, 'tls = "none"\nthen = "delete"'):
        await receive_events(harness, BOUNCED, 2)
        await eventually(lambda: counted(server, user, "INBOX"), lambda number: number == 0)
    assert await counted(server, user, "Returpost") == 0


async def test_nothing_is_moved_that_rabbitmq_has_not_confirmed(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    async with (
        proxy(harness.amqp_url) as way,
        reading(harness, server, user, tmp_path, amqp_url=way.url) as running,
    ):
        await eventually(lambda: state(running), lambda seen: seen["connected"])
        await way.cut()
        await asyncio.to_thread(fill, server, user, [mail(1), mail(2)])
        await eventually(lambda: state(running), lambda seen: seen["problem"] is not None)
        assert await counted(server, user, "INBOX") == 2
        await way.mend()
        await eventually(lambda: counted(server, user, "Returpost"), lambda number: number == 2)
    assert {one["tenant"] for one in await harness.take_events(BOUNCED)} == {"acme"}


async def test_a_connection_that_is_lost_is_made_again_and_what_came_twice_has_the_same_ids(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    async with proxy(f"imap://127.0.0.1:{server.imap}") as way:
        fill(server, user, [mail(n) for n in range(120)])
        port = int(way.url.rpartition(":")[2])
        async with reading(harness, server, user, tmp_path, port=port) as running:
            found: list[dict[str, Any]] = []

            async def some() -> int:
                found.extend(await harness.take_events(BOUNCED))
                return len(found)

            await eventually(some)
            await way.cut()
            await eventually(lambda: state(running), lambda seen: not seen["connected"])
            await way.mend()
            await eventually(lambda: counted(server, user, "Returpost"), lambda number: number == 120)
            assert await counted(server, user, "INBOX") == 0
            await eventually(some, lambda number: number >= 120)
            assert len({one["id"] for one in found}) == 120


async def test_killed_in_the_middle_of_a_batch_it_loses_none_and_what_came_twice_has_the_same_ids(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "mail.toml").write_text(
        f'[[mailboxes]]\nname = "returns"\nhost = "127.0.0.1"\nport = {server.imap}\nuser = "{user}"\ntls = "none"\n'
        f'tenant = "acme"\npassword_file = "{tmp_path}/password"\n'
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RETURPOST_")} | {
        "RETURPOST_AMQP_URL": harness.amqp_url,
        "RETURPOST_DATABASE_URL": harness.database_urls["ingest"],
        "RETURPOST_TOKEN_KEYS": TOKEN_KEY,
        "RETURPOST_INGEST_HTTP_PORT": "0",
        "RETURPOST_INGEST_MAIL_FILE": str(tmp_path / "mail.toml"),
    }
    found: list[dict[str, Any]] = []

    async def some() -> int:
        found.extend(await harness.take_events(BOUNCED))
        return len(found)

    async def killed_midway() -> bool:
        """Run it until there are events that were not there before, kill it, and say whether mails are left."""
        before = len(found)
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.ingest.app", env=environment)
        try:
            async with asyncio.timeout(3 * PATIENCE):  # the start of a process is in it
                while await some() == before:  # without a pause: all of them take a fraction of a second
                    pass
        finally:
            process.kill()
            await process.wait()
        return await counted(server, user, "INBOX") > 0

    number, midway = 0, False
    while not midway:  # whether some are left when it is killed is chance: then there are more
        assert number < 10 * 120
        fill(server, user, [mail(n) for n in range(number, number + 120)])
        number += 120
        midway = await killed_midway()
    await killed_midway()
    async with reading(harness, server, user, tmp_path):
        await eventually(lambda: counted(server, user, "Returpost"), lambda moved: moved == number)
    await some()
    assert await counted(server, user, "INBOX") == 0
    assert len({one["id"] for one in found}) == number


async def test_a_thousand_are_taken_in_parts_and_one_that_is_nobodys_stops_none(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    fill(server, user, [mail(0)])  # Dovecot makes the folder; the rest goes in faster without it
    maildir = server.folder / "mail" / user / "Maildir"
    owner = maildir.stat()
    for n in range(1, 1_000):
        content = b"\xfe\xff junk" if n == 500 else mail(n)
        if n == 501:
            content = b""
        file = maildir / "tmp" / f"1700000000.{n}.test"
        file.write_bytes(content)
        os.chown(file, owner.st_uid, owner.st_gid)
        file.rename(maildir / "new" / file.name)
    async with reading(harness, server, user, tmp_path):
        await eventually(lambda: counted(server, user, "Returpost"), lambda number: number == 1_000)
        assert await counted(server, user, "INBOX") == 0
    assert len({one["id"] for one in await harness.take_events(BOUNCED)}) == 998
    letters = await harness.take(DEAD_LETTERS)
    assert {letter.body for letter in letters} == {b"\xfe\xff junk", b""}


async def test_whose_a_mail_is_may_be_told_by_its_headers_and_nobodys_stays(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    ours, foreign = (b"Delivered-To: returns@%b.example\r\n" % who + mail(1) for who in (b"acme", b"other"))
    fill(server, user, [foreign, ours, foreign])
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "mail.toml").write_text(
        '[[recipients]]\naddress = "acme.example"\ntenant = "acme"\n'
        f'[[mailboxes]]\nname = "returns"\nhost = "127.0.0.1"\nport = {server.imap}\nuser = "{user}"\ntls = "none"\n'
        f'password_file = "{tmp_path}/password"\n'
    )
    async with harness.running(create, Settings, "ingest", mail_file=tmp_path / "mail.toml") as running:
        await receive_events(harness, BOUNCED, 1)
        seen = await eventually(lambda: state(running), lambda seen: seen["failed"] == 2)
        assert seen["ok"] is False
        assert await counted(server, user, "INBOX") == 2
        assert (await running.http.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_over_tls_with_the_certificate_checked(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path, proof: tuple[bytes, bytes], tls: str
) -> None:
    fill(server, user, [mail(1)])
    (tmp_path / "ca.pem").write_bytes(proof[0])
    port = server.imaps if tls == "implicit" else server.imap
    async with reading(harness, server, user, tmp_path, f'tls = "{tls}"', port=port) as running:
        seen = await eventually(lambda: state(running), lambda seen: seen["problem"] is not None)
        assert "certificate" in seen["problem"].lower()
    async with reading(harness, server, user, tmp_path, f'tls = "{tls}"\nca = "{tmp_path}/ca.pem"', port=port):
        await receive_events(harness, BOUNCED, 1)


async def test_by_an_access_token(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path, authorization: str
) -> None:
    fill(server, user, [mail(1)])
    Authorization.user = user
    (tmp_path / "refresh").write_text(REFRESH_TOKEN)
    more = (
        f'tls = "none"\n[mailboxes.oauth]\ntoken_url = "{authorization}/token"\nclient_id = "returpost"\n'
        f'refresh_token_file = "{tmp_path}/refresh"'
    )
    async with reading(harness, server, user, tmp_path, more):
        await receive_events(harness, BOUNCED, 1)
    (tmp_path / "refresh").write_text("another")
    async with reading(harness, server, user, tmp_path, more) as running:
        seen = await eventually(lambda: state(running), lambda seen: seen["problem"] is not None)
        assert "no token, status 400" in seen["problem"]


async def test_a_wrong_password_is_told_and_stops_nothing_else(
    harness: Harness, server: Dovecot, user: str, tmp_path: Path
) -> None:
    async with reading(harness, server, "nobody-of-that-name", tmp_path) as running:
        seen = await eventually(lambda: state(running), lambda seen: seen["problem"] is not None)
        assert "refuses the user" in seen["problem"]
        assert PASSWORD not in str(seen)
        assert (await running.http.get("/health/ready")).status_code == 200


async def test_without_move_they_are_copied_and_only_the_old_ones_taken_away(server: Dovecot, user: str) -> None:
    fill(server, user, [mail(n) for n in range(4)])
    imap = await Imap.connect("127.0.0.1", server.imap, tls="none", context=ssl.create_default_context())
    await imap.login(user, PASSWORD)
    await imap.create("Done")
    await imap.create("Done")
    await imap.select("INBOX")
    imap.capabilities -= {"MOVE"}
    first, *_, last = await imap.search("ALL")
    await imap.move([first, last], "Done")
    assert await counted(server, user, "Done") == 2
    assert await counted(server, user, "INBOX") == 2
    imap.capabilities -= {"UIDPLUS"}
    await imap.move(await imap.search("ALL"), "Done")
    assert await counted(server, user, "Done") == 4
    assert await counted(server, user, "INBOX", "DELETED") == 2
    await imap.logout()
