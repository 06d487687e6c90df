"""Mailboxes over IMAP: what came is taken in, and only then moved or flagged; then it waits for more (IDLE)."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Any

import httpx
import structlog

from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from services.ingest.mail_sources.imap_connection import Imap
from services.ingest.mail_sources.ingestion import MAX_MAIL
from services.ingest.mail_sources.settings import Mailbox, OAuth, secret
from services.ingest.mail_sources.tenant_router import TenantRouter

AT_ONCE = 50
"""Mails that are fetched together, and moved together when all of them are in."""
BYTES_AT_ONCE = 16 * 1024 * 1024
AGAIN_AFTER = 900.0
"""Seconds until a mail that could not be taken is tried again."""
BACK_OFF = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds between tries to connect; the last one repeats."""
EXPIRES_EARLY = 60.0

log = structlog.get_logger()


class AccessTokens:
    """Access tokens of one account, each used until shortly before its end."""

    def __init__(self, oauth: OAuth) -> None:
        self._oauth = oauth
        self._token = ""
        self._until = 0.0

    async def token(self) -> str:
        """Return a token. Raises `Unavailable`, and `InvalidSettings` when the server refuses to give one."""
        if time.monotonic() < self._until:
            return self._token
        oauth = self._oauth
        form = {"client_id": oauth.client_id, "grant_type": "client_credentials"}
        if oauth.client_secret_file:
            form["client_secret"] = secret(oauth.client_secret_file)
        if oauth.refresh_token_file:
            form |= {"grant_type": "refresh_token", "refresh_token": secret(oauth.refresh_token_file)}
        if oauth.scope:
            form["scope"] = oauth.scope
        try:
            async with httpx.AsyncClient(timeout=30) as http:
                answer = await http.post(oauth.token_url, data=form)
                given = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"{oauth.token_url}: no token: {type(error).__name__}") from None
        if answer.status_code != 200 or not isinstance(given, dict) or not given.get("access_token"):
            raise InvalidSettings(f"{oauth.token_url}: no token, status {answer.status_code}")
        self._token = str(given["access_token"])
        self._until = time.monotonic() + max(0.0, float(given.get("expires_in") or 300) - EXPIRES_EARLY)
        return self._token

    def forget(self) -> None:
        """The token was refused: the next one is a new one."""
        self._until = 0.0


class ImapPoller:
    """One mailbox that is read for as long as the service runs."""

    def __init__(self, mailbox: Mailbox, router: TenantRouter, *, timeout: float = 60.0) -> None:
        self.taken = 0
        self.failed: dict[int, float] = {}
        """Mails that could not be taken, and when they are tried again: they stop no other."""
        self._mailbox = mailbox
        self._router = router
        self._timeout = timeout
        self._tokens = AccessTokens(mailbox.oauth) if mailbox.oauth else None
        self._connected = False
        self._problem: str | None = None
        self._tries = 0

    def state(self) -> dict[str, Any]:
        """Say how it is."""
        return {
            "ok": self._connected and not self.failed, "connected": self._connected, "taken": self.taken,
            "failed": len(self.failed), "problem": self._problem,
        }  # fmt: skip

    async def run(self) -> None:
        """One connection, from the log-in until it is lost; then a pause before the next."""
        try:
            await self._session()
        except (ReturpostError, OSError) as error:
            if self._tokens is not None and isinstance(error, InvalidSettings):
                self._tokens.forget()
            self._problem = str(error)
            log.warning("a mailbox is not read", mailbox=self._mailbox.name, error=str(error))
        finally:
            self._connected = False
        await asyncio.sleep(BACK_OFF[min(self._tries, len(BACK_OFF) - 1)])
        self._tries += 1

    async def _session(self) -> None:
        mailbox = self._mailbox
        context = ssl.create_default_context(cafile=str(mailbox.ca) if mailbox.ca else None)
        imap = await Imap.connect(mailbox.host, mailbox.port, tls=mailbox.tls, context=context, patience=self._timeout)
        try:
            if self._tokens is not None:
                await imap.authenticate(mailbox.user, await self._tokens.token())
            elif mailbox.password_file is not None:
                await imap.login(mailbox.user, secret(mailbox.password_file))
            if mailbox.then == "move":
                await imap.create(mailbox.move_to)
            await imap.select(mailbox.folder)
            if mailbox.then == "flag" and not imap.takes_keywords and not mailbox.flag.startswith("\\"):
                raise InvalidSettings('IMAP: the server takes no flags of ours; set then = "move"')
            self._connected, self._problem, self._tries = True, None, 0
            while True:
                await self._take_all(imap)
                await self._wait(imap)
        finally:
            imap.close()

    async def _take_all(self, imap: Imap) -> None:
        now = time.monotonic()
        self.failed = {uid: until for uid, until in self.failed.items() if until > now}
        flag = self._mailbox.flag
        unseen = {"flag": f"UN{flag[1:].upper()}" if flag.startswith("\\") else f"UNKEYWORD {flag}"}
        waiting = await imap.search(f"UNDELETED {unseen.get(self._mailbox.then, '')}".strip())
        waiting = [uid for uid in waiting if uid not in self.failed]
        for start in range(0, len(waiting), AT_ONCE):
            sizes = await imap.sizes(waiting[start : start + AT_ONCE])
            for part in _parts(sizes):
                await self._take(imap, part)

    async def _take(self, imap: Imap, uids: Sequence[int]) -> None:
        bodies = await imap.fetch(uids, MAX_MAIL)
        results = await asyncio.gather(*(self._router.take(body) for body in bodies.values()), return_exceptions=True)
        done = [uid for uid, result in zip(bodies, results, strict=True) if result is None]
        if done:
            await self._put_away(imap, done)
        self.taken += len(done)
        for uid, result in zip(bodies, results, strict=True):
            if isinstance(result, Unavailable):
                raise result
            if result is not None:
                self.failed[uid] = time.monotonic() + AGAIN_AFTER
                log.error(
                    "a mail was not taken and stays", mailbox=self._mailbox.name, uid=uid, error=type(result).__name__
                )
        for uid in set(uids) - set(bodies):  # somebody has taken it away meanwhile, or the server does not give it
            self.failed[uid] = time.monotonic() + AGAIN_AFTER

    async def _put_away(self, imap: Imap, uids: Sequence[int]) -> None:
        if self._mailbox.then == "move":
            await imap.move(uids, self._mailbox.move_to)
        elif self._mailbox.then == "flag":
            await imap.flag(uids, self._mailbox.flag)
        else:
            await imap.delete(uids)

    async def _wait(self, imap: Imap) -> None:
        if "IDLE" in imap.capabilities:
            await imap.idle(self._mailbox.idle)
            return
        await asyncio.sleep(self._mailbox.poll)
        await imap.command("NOOP")


def _parts(sizes: dict[int, int]) -> list[list[int]]:
    """Cut mails into parts that fit into memory together."""
    parts: list[list[int]] = []
    room = 0
    for uid, size in sizes.items():
        if not parts or size > room:
            parts.append([])
            room = BYTES_AT_ONCE
        parts[-1].append(uid)
        room -= min(size, MAX_MAIL)
    return parts
