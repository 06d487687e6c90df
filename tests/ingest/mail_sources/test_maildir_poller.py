"""Maildirs and mbox files: everything in them is taken, nothing is deleted, and what is nobody's stops nothing."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.samples import paths
from returpost.contracts.routing import DEAD_LETTERS
from services.ingest.app import create
from services.ingest.mail_sources.tenant_router import sent_to
from services.ingest.settings import Settings
from tests.ingest.probes import BOUNCED, receive_events
from tests.support.harness import Harness, RunningService, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]

BOUNCE = {path.name: path.read_bytes() for path in paths()}["postfix-user-unknown.eml"].replace(b"\r\n", b"\n")


@asynccontextmanager
async def watching(harness: Harness, kind: str, path: Path, **settings: Any) -> AsyncIterator[RunningService]:
    file = path.parent / "mail.toml"
    file.write_text(f'[[folders]]\nname = "spool"\nkind = "{kind}"\npath = "{path}"\ntenant = "acme"\npoll = 0.05\n')
    async with harness.running(create, Settings, "ingest", mail_file=file, **settings) as running:
        yield running


def maildir(folder: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (folder / "Maildir" / name).mkdir(parents=True)
    return folder / "Maildir"


async def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208 - in an async function, as ASYNC240 wants it


async def test_a_mail_of_a_maildir_goes_to_cur_when_it_is_in(harness: Harness, tmp_path: Path) -> None:
    path = maildir(tmp_path)
    for n in range(120):
        (path / "new" / f"{n:03}.host").write_bytes(BOUNCE + b"%d" % n)
    (path / "new" / "junk.host").write_bytes(b"\x00\xff")
    secret = tmp_path / "secret"
    secret.write_bytes(BOUNCE + b"a secret of somebody else")
    (path / "new" / "000.link").symlink_to(secret)
    async with watching(harness, "maildir", path) as running:
        await receive_events(harness, BOUNCED, 120)
        await eventually(lambda: names(path / "new"), lambda left: left == ["000.link"])
        assert len(await names(path / "cur")) == 121
        assert (path / "cur" / "007.host:2,S").read_bytes() == BOUNCE + b"7"
        (path / "new" / "later.host").write_bytes(BOUNCE + b"later")
        await receive_events(harness, BOUNCED, 1)
        state = (await running.http.get("/health/ready")).json()["mail"]["maildir spool"]
        assert (state["ok"], state["failed"]) == (True, 0)
    (letter,) = await harness.take(DEAD_LETTERS)
    assert letter.body == b"\x00\xff"


async def test_while_rabbitmq_is_away_a_maildir_stays_as_it_is(harness: Harness, tmp_path: Path) -> None:
    path = maildir(tmp_path)
    async with proxy(harness.amqp_url) as way, watching(harness, "maildir", path, amqp_url=way.url) as running:
        await way.cut()
        (path / "new" / "1.host").write_bytes(BOUNCE)

        async def problem() -> Any:
            return (await running.http.get("/health/ready")).json()["mail"]["maildir spool"]["problem"]

        await eventually(problem)
        assert await names(path / "new") == ["1.host"]
        await way.mend()
        await eventually(lambda: names(path / "cur"))


async def test_an_mbox_is_set_aside_read_and_kept(harness: Harness, tmp_path: Path) -> None:
    path = tmp_path / "returns"
    mbox = b"".join(b"From MAILER-DAEMON Tue Jan  2 03:04:05 2026\n" + BOUNCE + b"%d\n\n" % n for n in range(3))
    path.write_bytes(mbox)
    lock = tmp_path / "returns.lock"
    lock.touch()
    async with watching(harness, "mbox", path) as running:

        async def state() -> dict[str, Any]:
            return dict((await running.http.get("/health/ready")).json()["mail"]["mbox spool"])

        await eventually(state, lambda seen: seen["problem"] is not None)
        assert path.read_bytes() == mbox, "somebody else delivers into it"
        lock.unlink()
        await receive_events(harness, BOUNCED, 3)
        await eventually(lambda: names(tmp_path), lambda seen: any(name.endswith(".taken") for name in seen))
        assert not path.exists()
        assert not lock.exists()
        (kept,) = [name for name in await names(tmp_path) if name.endswith(".taken")]
        assert (tmp_path / kept).read_bytes() == mbox


async def test_an_mbox_in_which_a_killed_process_was_reading_is_read_again(harness: Harness, tmp_path: Path) -> None:
    left = tmp_path / "returns.20260102T030405.taking"
    left.write_bytes(b"From MAILER-DAEMON Tue Jan  2 03:04:05 2026\n" + BOUNCE + b"\n")
    async with watching(harness, "mbox", tmp_path / "returns"):
        await receive_events(harness, BOUNCED, 1)
        await eventually(lambda: names(tmp_path), lambda seen: "returns.20260102T030405.taken" in seen)


@pytest.mark.parametrize(
    ("headers", "addresses"),
    [
        (
            b"Delivered-To: a@x.example\nTo: B <b@y.example>, c@z.example\n\n",
            ["a@x.example", "b@y.example", "c@z.example"],
        ),
        (b"Subject: none\n\n", []),
        (b"\xff\xfe\x00", []),
        (b"To: undisclosed-recipients:;\n\n", []),
        (b"To: \xe5@x.example\n\n", []),
    ],
)
def test_whom_a_mail_was_for(headers: bytes, addresses: list[str]) -> None:
    found = sent_to(headers)
    assert all(address in found for address in addresses)
