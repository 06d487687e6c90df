"""Used tokens in a file of SQLite, which processes share."""

import sqlite3
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from returpost.errors import InvalidSettings, Unavailable
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.replay_cache import REPLAYED


class SharedReplayCache:
    """In a file that all processes of a machine share: each token is used once by all of them, and over restarts.

    One statement looks and writes, and SQLite lets one writer in at a time. Nothing is flushed to disk: what a process
    has written stays when it is killed, and a power cut forgets the last tokens alone. A token whose process is killed
    before it has answered may come again after a while: nothing may be lost.
    """

    IN_USE = timedelta(minutes=5)
    """How long a token is in use at most: longer than any answer takes. Mailgun tries again after ten minutes."""
    WAIT = 1.0
    """Seconds to wait for another process, which writes for microseconds."""
    PURGE_EACH = 1_000

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises `InvalidSettings` when that cannot be done."""
        try:
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, timeout=self.WAIT, isolation_level=None)
            for line in _SCHEMA:
                self._database.execute(line)
        except (OSError, sqlite3.Error) as error:
            raise InvalidSettings(f"the file of used tokens cannot be opened: {error}") from error
        self._taken = 0

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def take(self, token: str, until: datetime, now: datetime) -> None:
        """Raises `Unavailable` besides: nobody knows whether it was used."""
        if self._taken % self.PURGE_EACH == 0:
            self._run("DELETE FROM used WHERE until <= ?", now.timestamp())
        self._taken += 1
        key, in_use = _digest(token), (now + self.IN_USE).timestamp()
        if self._run(_TAKE, key, until.timestamp(), in_use, now.timestamp()).rowcount:
            return
        if self._run("SELECT 1 FROM used WHERE token = ? AND in_use IS NULL", key).fetchone():
            raise Unauthenticated("replayed", REPLAYED, final=True)
        raise Unauthenticated("replayed", "signature: its token is in use by another request")

    def keep(self, token: str) -> None:
        self._run("UPDATE used SET in_use = NULL WHERE token = ?", _digest(token))

    def give_back(self, token: str) -> None:
        self._run("DELETE FROM used WHERE token = ?", _digest(token))

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise Unavailable(f"the file of used tokens: {type(error).__name__}") from error


_SCHEMA = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE IF NOT EXISTS used (token BLOB PRIMARY KEY, until REAL NOT NULL, in_use REAL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS used_until ON used (until)",
)
_TAKE = """
    INSERT INTO used (token, until, in_use) VALUES (?1, ?2, ?3)
    ON CONFLICT (token) DO UPDATE SET until = excluded.until, in_use = excluded.in_use
    WHERE used.until <= ?4 OR used.in_use <= ?4
"""


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
