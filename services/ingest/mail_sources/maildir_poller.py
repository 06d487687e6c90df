"""Maildirs and mbox files of this machine. Nothing is deleted: a mail of a Maildir goes from `new` to `cur` when it is
in, and an mbox is renamed, read, and renamed once more.

https://cr.yp.to/proto/maildir.html; mbox: RFC 4155, with the locks that delivery agents take (dot-lock and fcntl).
"""

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import structlog

from returpost.bounces.mime.mbox import messages
from returpost.errors import ReturpostError, Unavailable
from services.ingest.mail_sources.ingestion import MAX_MAIL
from services.ingest.mail_sources.settings import Folder
from services.ingest.mail_sources.tenant_router import TenantRouter

AT_ONCE = 50
TAKING, TAKEN, FAILED = ".taking", ".taken", ".failed"

log = structlog.get_logger()


class MaildirPoller:
    """One folder that is looked at for as long as the service runs."""

    def __init__(self, folder: Folder, router: TenantRouter) -> None:
        self.taken = 0
        self.failed: set[str] = set()
        """Names of mails that could not be taken; they stay, and stop no other."""
        self._folder = folder
        self._router = router
        self._problem: str | None = None

    def state(self) -> dict[str, Any]:
        """Say how it is."""
        ok = self._problem is None and not self.failed
        return {"ok": ok, "taken": self.taken, "failed": len(self.failed), "problem": self._problem}

    async def run(self) -> None:
        """Take what is there, then wait."""
        try:
            await (self._maildir() if self._folder.kind == "maildir" else self._mbox())
            self._problem = None
        except (Unavailable, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else error  # not the name of a file
            self._problem = f"{type(error).__name__}: {said}"
            log.warning("a folder is not read", folder=self._folder.name, error=self._problem)
        await asyncio.sleep(self._folder.poll)

    async def _maildir(self) -> None:
        new, cur = self._folder.path / "new", self._folder.path / "cur"
        names = await asyncio.to_thread(lambda: _files_in(new))
        waiting = [name for name in names if not name.startswith(".") and name not in self.failed]
        for start in range(0, len(waiting), AT_ONCE):
            part = waiting[start : start + AT_ONCE]
            bodies = [await asyncio.to_thread(_beginning, new / name) for name in part]
            taken = await self._take(dict(zip(part, bodies, strict=True)))
            for name in taken:
                await asyncio.to_thread((new / name).rename, cur / f"{name}:2,S")

    async def _mbox(self) -> None:
        path = self._folder.path
        found = path.parent.glob(f"{path.name}.*{TAKING}")  # of a process that was killed
        left = sorted(file for file in found if not file.is_symlink())
        if not left and path.exists() and path.stat().st_size:
            left = [await asyncio.to_thread(_set_aside, path)]
        for file in left:
            before = len(self.failed)
            async for part in _mails(file):
                await self._take(part)
            ending = TAKEN if len(self.failed) == before else FAILED
            file.rename(file.with_name(file.name.removesuffix(TAKING) + ending))

    async def _take(self, mails: dict[str, bytes]) -> list[str]:
        """Take mails in and return the names of those that are; raises `Unavailable` when RabbitMQ is away."""
        results = await asyncio.gather(*(self._router.take(body) for body in mails.values()), return_exceptions=True)
        for name, result in zip(mails, results, strict=True):
            if isinstance(result, ReturpostError) and not isinstance(result, Unavailable):
                self.failed.add(name)
                log.error("a mail was not taken and stays", folder=self._folder.name, error=str(result))
            elif isinstance(result, BaseException):
                raise result
        taken = [name for name, result in zip(mails, results, strict=True) if result is None]
        self.taken += len(taken)
        return taken


async def _mails(file: Path) -> AsyncIterator[dict[str, bytes]]:
    """Yield the mails of an mbox, some at a time, by their places in it."""
    with file.open("rb") as opened:
        found = messages(opened, MAX_MAIL)
        while part := await asyncio.to_thread(lambda: list(islice(found, AT_ONCE))):
            yield {f"{file.name}#{one.number}": one.content for one in part}


def _beginning(path: Path) -> bytes:
    """Return a mail, of a larger one what fits: the report comes before the message that it returns."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read(MAX_MAIL)


def _files_in(folder: Path) -> list[str]:
    """Return the names of the files; who may deliver may not have other files read, which a link would name."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))


def _set_aside(path: Path) -> Path:
    """Rename the file while nobody delivers into it, and return where it is now."""
    aside = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}{TAKING}")
    with _dot_locked(path), path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.rename(aside)
    return aside


@contextmanager
def _dot_locked(path: Path) -> Iterator[None]:
    """Hold `<path>.lock` as delivery agents do. Raises `OSError` when somebody else has it: next time, then."""
    lock = path.with_name(f"{path.name}.lock")
    handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        os.write(handle, f"{os.getpid()} {socket.gethostname()}\n".encode())
        os.close(handle)
        yield
    finally:
        with suppress(FileNotFoundError):
            lock.unlink()
