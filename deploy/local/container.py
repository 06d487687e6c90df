"""RabbitMQ in a container, for machines that have an engine and no package; the same rooms as the private node."""

import json
import secrets
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

from deploy.local.processes import free_port, wait_until
from deploy.local.rabbitmq import START_SECONDS, USER
from returpost.errors import Unavailable

IMAGE = "docker.io/library/rabbitmq:4-management"
PULL_SECONDS = 600


class RabbitContainer:
    """One container with one volume folder; a restart keeps its ports, users and messages."""

    def __init__(self, data_dir: Path, engine: str) -> None:
        self._base = data_dir.absolute()
        self._engine = engine
        self._state_file = self._base / "container.json"

    @property
    def amqp_url(self) -> str:
        """URL of the administrator; valid after `start`."""
        state = self._state()
        return f"amqp://{USER}:{state['password']}@127.0.0.1:{state['amqp']}/"

    @property
    def management_url(self) -> str:
        """URL of the management API with the administrator's credentials; valid after `start`."""
        state = self._state()
        return f"http://{USER}:{state['password']}@127.0.0.1:{state['management']}"

    def start(self) -> None:
        """Start the container, or find it running. Raises `Unavailable` with the engine's last words."""
        if self._state_file.exists():
            self._call("start", self._name)
        else:
            self._create()
        try:
            wait_until(self._answers, START_SECONDS, "RabbitMQ's container to start")
        except Unavailable as error:
            raise Unavailable(f"{error}: {self._call('logs', '--tail', '20', self._name).stdout[-800:]}") from None

    def stop(self) -> None:
        """Stop the container; its messages stay."""
        self._call("stop", "--time", "30", self._name)

    def restart(self) -> None:
        """Stop and start on the same ports."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill the node at once, as a power cut would."""
        self._call("kill", self._name)

    @property
    def _name(self) -> str:
        return str(self._state()["name"])

    def _state(self) -> dict[str, str | int]:
        state: dict[str, str | int] = json.loads(self._state_file.read_text())
        return state

    def _create(self) -> None:
        self._base.mkdir(parents=True, exist_ok=True)
        state: dict[str, str | int] = {
            "name": f"returpost-rabbitmq-{secrets.token_hex(4)}",
            "password": secrets.token_urlsafe(24),
            "amqp": free_port(),
        }
        state["management"] = free_port()
        made = self._call(
            "run", "--detach", "--name", str(state["name"]), "--hostname", "returpost",
            "--publish", f"127.0.0.1:{state['amqp']}:5672", "--publish", f"127.0.0.1:{state['management']}:15672",
            "--env", f"RABBITMQ_DEFAULT_USER={USER}", "--env", f"RABBITMQ_DEFAULT_PASS={state['password']}", IMAGE,
        )  # fmt: skip
        if made.returncode:
            raise Unavailable(f"{self._engine} could not start {IMAGE}: {made.stderr.strip()[-500:]}")
        self._state_file.touch(mode=0o600)
        self._state_file.write_text(json.dumps(state))

    def _answers(self) -> bool:
        state = self._state()
        credentials = b64encode(f"{USER}:{state['password']}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{state['management']}/api/health/checks/port-listener/5672",
            headers={"Authorization": f"Basic {credentials}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - always http to loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._engine, *arguments], check=False, capture_output=True, text=True, timeout=PULL_SECONDS
        )
