"""One connection to an IMAP server (RFC 3501), as much of it as reading a mailbox takes.

Written out because of what must be certain here: that a lost connection is known at once to whoever waits, and that a
mail of any size and shape comes through.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from returpost.errors import InvalidSettings, ReturpostError, Unavailable

MAX_LINE = 1024 * 1024
MAX_LITERAL = 64 * 1024 * 1024

_LITERAL = re.compile(rb"\{(\d{1,10})\}\Z")
_UID = re.compile(rb"\bUID (\d+)")
_STATUS = re.compile(rb"(?:\* )?(OK|NO|BAD|BYE|PREAUTH)\b(?: (\[[A-Za-z0-9-]{1,40}))?", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")


class ImapRefused(ReturpostError):
    """The server answered NO or BAD; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Line:
    """One response: its text, with `{n}` where literals were, and the literals."""

    text: bytes
    literals: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was asked about one message."""

    uid: int
    size: int
    body: bytes | None


class Imap:
    """A connection; one command at a time. Everything raises `Unavailable` when the connection is lost or silent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self.capabilities: frozenset[str] = frozenset()
        self.takes_keywords = True
        """Whether the folder that is open takes flags that the server does not know (RFC 3501 section 7.1)."""
        self._news = False
        """Something has come since the last search."""
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._number = 0

    @classmethod
    async def connect(
        cls, host: str, port: int, *, tls: str, context: ssl.SSLContext, patience: float = 30.0
    ) -> "Imap":
        """Connect and hear the greeting. `tls` is `implicit`, `starttls` or `none`."""
        try:
            async with asyncio.timeout(patience):
                reader, writer = await asyncio.open_connection(
                    host, port, limit=MAX_LINE, ssl=context if tls == "implicit" else None
                )
                imap = cls(reader, writer, patience)
                greeting = (await imap._line()).text
        except (OSError, TimeoutError, ssl.SSLError) as error:
            raise Unavailable(f"IMAP: {host}:{port} does not answer: {type(error).__name__}: {error}") from None
        if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
            imap.close()
            raise Unavailable(f"IMAP: {host}:{port} says {_shown(greeting)}")
        if tls == "starttls":
            await imap.command("STARTTLS")
            try:
                async with asyncio.timeout(patience):
                    await writer.start_tls(context, server_hostname=host)
            except (OSError, TimeoutError, ssl.SSLError) as error:
                imap.close()
                raise Unavailable(f"IMAP: {host}:{port}: no TLS: {error}") from None
        await imap._ask_capabilities()
        return imap

    async def login(self, user: str, password: str) -> None:
        """Log in by password. Raises `InvalidSettings` when the server refuses."""
        if "LOGINDISABLED" in self.capabilities:
            raise InvalidSettings("IMAP: the server takes no password over this connection; use tls")
        await self._proved("LOGIN", _quoted(user), _quoted(password))

    async def authenticate(self, user: str, token: str) -> None:
        """Log in by an access token. Raises `InvalidSettings` when the server refuses.

        https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
        """
        text = b64encode(f"user={user}\x01auth=Bearer {token}\x01\x01".encode()).decode()
        await self._proved("AUTHENTICATE", "XOAUTH2", text)

    async def select(self, folder: str) -> None:
        """Open a folder. Raises `ImapRefused` when it is not there."""
        lines = await self.command("SELECT", _quoted(folder))
        permanent = [line.text for line in lines if b"PERMANENTFLAGS" in line.text.upper()]
        self.takes_keywords = not permanent or any(b"\\*" in text for text in permanent)

    async def create(self, folder: str) -> None:
        """Make a folder unless it is there."""
        with suppress(ImapRefused):
            await self.command("CREATE", _quoted(folder))

    async def search(self, criteria: str) -> list[int]:
        """Return the uids of the messages that fit, in order."""
        self._news = False
        lines = await self.command("UID SEARCH", criteria)
        found = [line.text.split()[2:] for line in lines if line.text.upper().startswith(b"* SEARCH")]
        return sorted({int(uid) for part in found for uid in part if uid.isdigit()})

    async def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Return the size of each message in bytes."""
        lines = await self.command("UID FETCH", _set(uids), "(UID RFC822.SIZE)")
        return {found.uid: found.size for found in map(_fetched, lines) if found is not None}

    async def fetch(self, uids: Sequence[int], most: int) -> dict[int, bytes]:
        """Return the messages, each up to so many bytes, without marking them as seen."""
        lines = await self.command("UID FETCH", _set(uids), f"(UID BODY.PEEK[]<0.{most}>)")
        found = (fetched for fetched in map(_fetched, lines) if fetched is not None)
        return {one.uid: one.body for one in found if one.body is not None}

    async def flag(self, uids: Sequence[int], flag: str) -> None:
        """Set a flag."""
        await self.command("UID STORE", _set(uids), f"+FLAGS.SILENT ({flag})")

    async def move(self, uids: Sequence[int], folder: str) -> None:
        """Move messages (RFC 6851); without MOVE they are copied, and the old ones taken away (RFC 4315)."""
        if "MOVE" in self.capabilities:
            await self.command("UID MOVE", _set(uids), _quoted(folder))
            return
        await self.command("UID COPY", _set(uids), _quoted(folder))
        await self.delete(uids)

    async def delete(self, uids: Sequence[int]) -> None:
        """Delete messages. Without UIDPLUS they are only marked: expunging would take away those of others too."""
        await self.flag(uids, "\\Deleted")
        if "UIDPLUS" in self.capabilities:
            await self.command("UID EXPUNGE", _set(uids))

    async def idle(self, seconds: float) -> None:
        """Wait until something comes to the folder, or has since the last search, at most so long (RFC 2177)."""
        if self._news:
            return
        tag = await self._send("IDLE")
        if not (await self._line()).text.startswith(b"+"):
            raise ImapRefused("IMAP: the server does not go into IDLE")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._news:
                    await self._read()
        self._writer.write(b"DONE\r\n")
        await self._answer(tag, "IDLE")

    async def logout(self) -> None:
        """Say good-bye, and close."""
        with suppress(ReturpostError):
            await self.command("LOGOUT")
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def command(self, name: str, *arguments: str) -> list[Line]:
        """Give a command and return what was said until its answer. Raises `ImapRefused`."""
        return await self._answer(await self._send(name, *arguments), name)

    async def _proved(self, name: str, *arguments: str) -> None:
        tag = await self._send(name, *arguments)
        try:
            await self._answer(tag, name)
        except ImapRefused as error:
            raise InvalidSettings(f"IMAP: the server refuses the user: {error}") from None
        await self._ask_capabilities()

    async def _ask_capabilities(self) -> None:
        lines = await self.command("CAPABILITY")
        words = (line.text.decode("ascii", "replace").upper().split()[2:] for line in lines if b"CAPAB" in line.text)
        self.capabilities = frozenset(word for part in words for word in part)

    async def _send(self, name: str, *arguments: str) -> bytes:
        self._number += 1
        tag = f"r{self._number}"
        try:
            self._writer.write(f"{' '.join((tag, name, *arguments))}\r\n".encode())
            async with asyncio.timeout(self._timeout):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"IMAP: the connection is lost: {type(error).__name__}") from None
        return tag.encode()

    async def _answer(self, tag: bytes, name: str) -> list[Line]:
        lines: list[Line] = []
        while True:
            line = await self._line()
            if line.text.startswith(b"+"):  # it wants more: with XOAUTH2 that is how it explains a refusal
                self._writer.write(b"\r\n")
            elif line.text.startswith(tag + b" "):
                result = line.text[len(tag) + 1 :]
                if not result.upper().startswith(b"OK"):
                    raise ImapRefused(f"{name}: {_shown(result)}")
                return lines
            else:
                lines.append(line)

    async def _line(self) -> Line:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._read()
        except TimeoutError:
            raise Unavailable(f"IMAP: the server has been silent for {self._timeout:.0f} s") from None

    async def _read(self) -> Line:
        """Read one response. A time limit may end this only before its first byte, or the rest is out of step."""
        text = b""
        literals: list[bytes] = []
        try:
            while True:
                text += (await self._reader.readuntil(b"\r\n"))[:-2]
                self._news = self._news or text.upper().endswith(b" EXISTS")
                if (literal := _LITERAL.search(text)) is None:
                    return Line(text, tuple(literals))
                if int(literal[1]) > MAX_LITERAL:
                    raise Unavailable(f"IMAP: a literal of {int(literal[1])} bytes")
                literals.append(await self._reader.readexactly(int(literal[1])))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ssl.SSLError) as error:
            raise Unavailable(f"IMAP: the connection is lost: {type(error).__name__}") from None


def _fetched(line: Line) -> Fetched | None:
    uid, size = _UID.search(line.text), _SIZE.search(line.text)
    if uid is None or b" FETCH " not in line.text.upper():
        return None
    empty = b'BODY[]<0> ""' in line.text
    return Fetched(
        int(uid[1]), int(size[1]) if size else 0, line.literals[0] if line.literals else b"" if empty else None
    )


def _set(uids: Iterable[int]) -> str:
    """Return uids as a set: 1:3,7."""
    runs: list[list[int]] = []
    for uid in sorted(uids):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(f"{first}:{last}" if last > first else str(first) for first, last in runs)


def _quoted(text: str) -> str:
    if any(character in text for character in "\r\n\x00"):
        raise InvalidSettings("IMAP: a name or password with a line break")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shown(text: bytes) -> str:
    """Return status and response code (RFC 5530); the rest is the server's own words, which may name an address."""
    found = _STATUS.match(text)
    return (
        b" ".join(part.strip(b"[") for part in found.groups() if part).decode("ascii").upper()
        if found
        else "something else"
    )
