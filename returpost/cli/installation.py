"""The folder of one installation (`.returpost/`): its secrets, its lock, and what runs in it now."""

import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from returpost.contracts.routing import SERVICES
from returpost.errors import InvalidSettings, ReturpostError

DEFAULT = Path(".returpost")
LOCK_TRIES = 5
PORTS = {
    "console": 8100,
    "ingest": 8101,
    "classifier": 8102,
    "blocklist": 8103,
    "actions": 8104,
    "replay": 8105,
    "alerts": 8106,
}
"""Where the web page and the services' HTTP APIs are by default."""
PROGRAMS = (*SERVICES, "console")
"""What `returpost up` keeps running; the console last, which asks the others."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Generated once for each installation."""

    token_key: str = field(repr=False)
    database: Mapping[str, str] = field(repr=False)
    """Password by service."""
    broker: Mapping[str, str] = field(repr=False)
    """Password by user."""


@dataclass(frozen=True, slots=True)
class Running:
    """What `returpost up` has started."""

    pid: int
    urls: Mapping[str, str]
    """HTTP API by service."""
    amqp_url: str = field(repr=False)
    database_url: str = field(repr=False)
    management_url: str | None = field(repr=False)
    senders: tuple[str, ...]
    sender_urls: Mapping[str, str] = field(repr=False)
    """AMQP URL by sender."""


class Installation:
    """The folder; nobody but its owner can read what is in it."""

    def __init__(self, folder: Path = DEFAULT) -> None:
        self.folder = folder.absolute()

    def make(self) -> None:
        """Make the folder when it is not there, and close it to others."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        close_to_others(self.folder, but_pass=os.geteuid() == 0)

    def secrets(self, services: Iterable[str] = (), users: Iterable[str] = ()) -> Secrets:
        """Return the secrets; generate those that are missing: at first all, later those of new names.

        Raises `InvalidSettings` when the file is damaged.
        """
        self.make()
        with self._open("secrets.lock") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            kept = self._read("secrets")
            found = Secrets(
                kept.get("token_key") or secrets.token_urlsafe(48),
                _completed(kept.get("database", {}), services),
                _completed(kept.get("broker", {}), users),
            )
            if asdict(found) != kept:
                self._write("secrets", asdict(found))
        return found

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the installation. Raises `ReturpostError` when another command holds it."""
        self.make()
        with self._open("up.lock") as handle:
            for tries in range(LOCK_TRIES):
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:  # held by another `up`, or looked at for a moment by `running`
                    if tries == LOCK_TRIES - 1:
                        raise ReturpostError(
                            f"Returpost already runs in {self.folder}; `returpost status` shows it, `returpost down` "
                            "stops it"
                        ) from None
                    time.sleep(0.05)
            yield

    def started(self, running: Running) -> None:
        """Write down what runs."""
        self._write("running", asdict(running))

    def ended(self) -> None:
        """Nothing runs any more."""
        (self.folder / "running").unlink(missing_ok=True)

    def running(self) -> Running | None:
        """Return what runs now; a note that `kill -9` has left behind is nothing."""
        found = self._read("running") if self.held() else {}
        return Running(**found | {"senders": tuple(found["senders"])}) if found else None

    def held(self) -> bool:
        """Tell whether a command holds the installation now."""
        if not self.folder.exists():
            return False
        with self._open("up.lock") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def logs(self) -> Path:
        """Return the folder of the logs, made when it is not there."""
        folder = self.folder / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise InvalidSettings(f"{path}: damaged; restore it, or remove it to begin anew")
        return found

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}-")  # with mode 0600
        with os.fdopen(handle, "w") as file:
            json.dump(value, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(self.folder / name)

    @contextmanager
    def _open(self, name: str) -> Iterator[int]:
        handle = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield handle
        finally:
            os.close(handle)  # and whatever lock is on it


def close_to_others(folder: Path, *, but_pass: bool = False) -> None:
    """Let nobody but its owner list, read or change what is in a folder of ours; `but_pass`: others may pass through.

    As root PostgreSQL runs as another user, which must pass.
    """
    found = folder.stat()
    mode = found.st_mode & (0o7701 if but_pass else 0o7700)
    if mode != found.st_mode & 0o7777 and os.geteuid() in (0, found.st_uid):
        folder.chmod(mode)


def _completed(kept: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {**{name: secrets.token_urlsafe(24) for name in names}, **kept}
