"""A private RabbitMQ node from the installed binaries: any user, free ports of loopback, all files in one folder."""

import glob
import json
import os
import secrets
import shutil
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local import debian_archive
from deploy.local.processes import (
    Logs,
    end,
    free_port,
    kill,
    on_free_ports,
    processes_with,
    recall,
    remember,
    wait_until,
)
from returpost.cli.installation import close_to_others
from returpost.errors import Unavailable

USER = "returpost-admin"
START_SECONDS = 120
LOG = 800
"""Characters of each log that are told when it does not start."""

_CANDIDATES = (
    "/usr/lib/rabbitmq/bin",  # Debian, Ubuntu, Fedora: the scripts behind the wrapper that insists on root
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/opt/rabbitmq/sbin",
)

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
management.rates_mode = none
collect_statistics_interval = 1000
default_user = {user}
default_pass = {password}
disk_free_limit.absolute = 200MB
raft.wal_max_size_bytes = 64000000
log.file.level = warning
log.console = false
"""
"""The write-ahead log of quorum queues is held in memory: 64 MB instead of 512 MB suits a node on a desk."""


def wants_rabbitmq_4() -> bool:
    """Tell whether RabbitMQ 4 is asked for where the installed one is older: `RETURPOST_RABBITMQ=4`."""
    return os.environ.get("RETURPOST_RABBITMQ") == "4"


def find_binaries() -> Path | None:
    """Return the folder of a `rabbitmq-server` script that any user may run."""
    if wants_rabbitmq_4():
        return debian_archive.scripts()
    home = os.environ.get("RABBITMQ_HOME")
    for pattern in ((f"{home}/sbin",) if home else ()) + _CANDIDATES:
        for folder in sorted(glob.glob(pattern), reverse=True):  # noqa: PTH207 - absolute patterns
            if (Path(folder) / "rabbitmq-server").exists() and shutil.which("erl"):
                return Path(folder)
    return None


@dataclass(frozen=True, slots=True)
class Member:
    """The place of a node in a cluster on this machine."""

    name: str
    names: tuple[str, ...]
    """Of all nodes."""
    epmd: int
    """The port of the port mapper that they share, and that outlives each."""


class RabbitNode:
    """One node in one folder; a restart keeps its ports, users and messages."""

    def __init__(self, data_dir: Path, binaries: Path, member: Member | None = None) -> None:
        """`member` makes it one of a cluster; alone it has a port mapper of its own."""
        self._base = data_dir.absolute()
        self._member = member
        self._binaries = binaries
        self._note = self._base / "process.json"
        self._state_file = self._base / "node.json"

    @property
    def amqp_url(self) -> str:
        """URL of the administrator; valid after `start`."""
        state = self._state()
        return f"amqp://{USER}:{state['password']}@127.0.0.1:{state['amqp']}/"

    @property
    def url(self) -> str:
        """The same."""
        return self.amqp_url

    @property
    def running(self) -> bool:
        """Whether any process of the node runs in this folder."""
        return bool(self.processes())

    @property
    def management_url(self) -> str:
        """URL of the management API with the administrator's credentials; valid after `start`."""
        state = self._state()
        return f"http://{USER}:{state['password']}@127.0.0.1:{state['management']}"

    @property
    def process(self) -> psutil.Process | None:
        """The node's first process, if it runs."""
        return recall(self._note)

    def start(self) -> None:
        """Start the node, or find it running. Raises `Unavailable` with the end of its log.

        What runs in this folder and does not answer is stopped first: two nodes on one folder destroy it.
        """
        if (running := self.processes()) and self._answers():
            if self.process is None:
                remember(self._note, min(running, key=lambda one: one.create_time()).pid)
            return
        on_free_ports(self._start)

    def processes(self) -> list[psutil.Process]:
        """Return all processes of the node in this folder, whoever started them."""
        return processes_with("RABBITMQ_MNESIA_BASE", str(self._base / "mnesia"))

    def _start(self) -> None:
        self.stop()
        state = self._configure()
        with (self._base / "console.log").open("w") as console:
            logs = Logs(self._base, "console.log", "log/*.log")
            started = subprocess.Popen(
                [str(self._binaries / "rabbitmq-server")],
                env=self._environment(state),
                cwd=self._base,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        remember(self._note, started.pid)
        try:
            wait_until(lambda: self._answers() or started.poll() is not None, START_SECONDS, "RabbitMQ to start")
        except Unavailable as error:
            self.kill()
            raise Unavailable(f"{error}: {logs.tail(LOG)}") from None
        if started.poll() is not None:
            raise Unavailable(f"RabbitMQ did not start: {logs.tail(LOG)}")
        started.returncode = (
            0  # the node may outlive this process: from here on it is known by its note, not as a child
        )

    def stop(self) -> None:
        """Stop the node, and the port mapper that came with it."""
        if (process := self.process) is not None:
            beams = [child for child in process.children(recursive=True) if child.name().startswith("beam")]
            for beam in beams or [process]:  # the script waits for the beam, and passes no signal on
                end(beam)
            end(process)
        for left in self.processes():  # its script was killed alone, or its note is lost
            end(left)
        self._stop_epmd()
        self._note.unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop and start on the same ports."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill the node at once, as a power cut would."""
        if (process := self.process) is not None:
            kill([*process.children(recursive=True), process])
        kill(self.processes())
        self._stop_epmd()

    def _state(self) -> dict[str, str | int]:
        state: dict[str, str | int] = json.loads(self._state_file.read_text())
        return state

    def _configure(self) -> dict[str, str | int]:
        self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        close_to_others(self._base)
        for folder in ("home", "mnesia", "log"):
            (self._base / folder).mkdir(exist_ok=True)
        old = self._state() if self._state_file.exists() else {}
        state: dict[str, str | int] = {"password": old.get("password", secrets.token_urlsafe(24))}
        for name in ("amqp", "management", "distribution", "epmd"):
            state[name] = free_port(int(old[name]) if name in old else None)
        if self._member is not None:
            state["epmd"] = self._member.epmd
        self._state_file.touch(mode=0o600)
        self._state_file.write_text(json.dumps(state))
        configuration = self._base / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_CONFIGURATION.format(user=USER, **state) + self._cluster_configuration())
        (self._base / "plugins").write_text("[rabbitmq_management].\n")
        cookie = self._base / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)
        return state

    def _cluster_configuration(self) -> str:
        if self._member is None:
            return ""
        names = enumerate(self._member.names, 1)
        return (
            "cluster_partition_handling = pause_minority\n"
            "cluster_formation.peer_discovery_backend = classic_config\n"
            + "".join(f"cluster_formation.classic_config.nodes.{number} = {name}\n" for number, name in names)
        )

    def _environment(self, state: dict[str, str | int]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        own = self._binaries.parent.parent / "erlang" / "bin"
        path = os.environ.get("PATH", os.defpath)
        return inherited | {
            "PATH": f"{own}{os.pathsep}{path}" if (own / "erl").exists() else path,
            "HOME": str(self._base / "home"),
            "RABBITMQ_NODENAME": self._member.name if self._member else "returpost@localhost",
            "RABBITMQ_NODE_PORT": str(state["amqp"]),
            "RABBITMQ_DIST_PORT": str(state["distribution"]),
            "RABBITMQ_MNESIA_BASE": str(self._base / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._base / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._base / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._base / "rabbitmq.conf"),
            "RABBITMQ_PID_FILE": str(self._base / "rabbitmq.pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self._base / "generated"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(self._base / "feature_flags"),
            # Waiting schedulers give the processor back; nobody outside this machine may join.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(state["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": str(self._base / "erl_crash.dump"),
        }

    def _answers(self) -> bool:
        if not self._state_file.exists():
            return False
        state = self._state()
        credentials = b64encode(f"{USER}:{state['password']}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{state['management']}/api/health/checks/port-listener/{state['amqp']}",
            headers={"Authorization": f"Basic {credentials}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - always http to loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _stop_epmd(self) -> None:
        if self._member is not None or not self._state_file.exists():
            return
        kill(processes_with("ERL_EPMD_PORT", str(self._state()["epmd"]), "epmd"))
