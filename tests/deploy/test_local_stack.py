"""The command line over the whole system: every service as its own process, a real broker and a real database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psutil
import pytest

from returpost.cli.http.api import Api
from returpost.cli.installation import PROGRAMS, Installation
from returpost.errors import ReturpostError
from tests.conftest import PASSWORDS
from tests.deploy.rabbitmq.test_broker import PASSWORDS as BROKER_PASSWORDS

pytestmark = pytest.mark.services

PATIENCE = 180.0
TENANT = "acme"


class UpProcess:
    """A folder in which `returpost up` runs."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.installation = Installation(folder / ".returpost")
        self._environment = environment
        self._log = (folder / "up.log").open("w+")
        self.process: subprocess.Popen[bytes] | None = None

    def up(self, *arguments: str) -> None:
        """Start it, and wait until all are ready."""
        command = [sys.executable, "-m", "returpost", "up", *arguments, "--dir", str(self.installation.folder)]
        process = subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT)
        self.process = process
        self.wait_for(lambda: "Returpost is ready" in self.log() or process.poll() is not None)
        assert process.poll() is None, self.log()

    def run(self, *arguments: str, given: str = "", code: int = 0) -> str:
        """Run a command and return what it prints."""
        command = [sys.executable, "-m", "returpost", *arguments, "--dir", str(self.installation.folder)]
        done = subprocess.run(command, env=self._environment, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr + self.log()
        return done.stdout

    def json(self, *arguments: str, given: str = "", code: int = 0) -> Any:
        """Run a command with `--json` and return what it says."""
        return json.loads(self.run(*arguments, "--json", given=given, code=code))

    def forget_the_usual_ports(self) -> None:
        """Look nowhere else: where nothing runs here, another test's services may have the usual ports."""
        self._environment |= {f"RETURPOST_{name.upper()}_URL": "http://127.0.0.1:1" for name in PROGRAMS}

    def log(self) -> str:
        """Return what `up` has written."""
        self._log.flush()
        return Path(self._log.name).read_text()

    def wait_for(self, look: Any) -> Any:
        """Look until something is seen."""
        deadline = time.monotonic() + PATIENCE
        while not (seen := look()):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)
        return seen

    def children(self) -> dict[str, psutil.Process]:
        """Return the services' processes by the module that they run."""
        assert self.process is not None
        found = {}
        for child in psutil.Process(self.process.pid).children():
            words = child.cmdline()
            if "-m" in words:
                found[words[words.index("-m") + 1].split(".")[1]] = child
        return found

    def end(self) -> None:
        """Stop it, whatever a test has left."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()


@pytest.fixture
def up_process(tmp_path: Path, backing: Any, vhost: str, database: str) -> Iterator[UpProcess]:
    """An installation over a virtual host and a database of its own."""
    made = UpProcess(tmp_path, environment_of(backing, vhost, database))
    yield made
    made.end()


def environment_of(backing: Any, vhost: str, database: str) -> dict[str, str]:
    """Return what an installation over them is told."""
    amqp_url = urlunsplit(urlsplit(backing.amqp_url)._replace(path=f"/{quote(vhost, safe='')}"))
    outer = {name: value for name, value in os.environ.items() if not name.startswith("RETURPOST_")}
    environment = outer | {
        "RETURPOST_AMQP_URL": amqp_url,
        "RETURPOST_DATABASE_URL": database,
        "RETURPOST_TENANT": TENANT,
        "RETURPOST_CLASSIFIER_RETRY_DELAYS": "0.2s,0.2s,0.2s",
        "RETURPOST_CLASSIFIER_DISPATCH_INTERVAL": "PT0.1S",
        "COLUMNS": "200",
    }
    # Users belong to the servers, which all tests share: so each has the same password in all tests.
    environment |= {f"RETURPOST_{name.upper()}_DATABASE_PASSWORD": word for name, word in PASSWORDS.items()}
    environment |= {_variable(name): word for name, word in BROKER_PASSWORDS.items()}
    environment["RETURPOST_AMQP_MANAGEMENT_URL"] = backing.management_url
    return environment


def test_from_up_over_send_to_blocked_and_down(up_process: UpProcess, tmp_path: Path) -> None:
    up_process.up()
    status = up_process.json("status")
    assert status["ok"], status
    assert set(status["services"]) == set(PROGRAMS)
    assert all(queue["exists"] for queue in status["queues"]["queues"])
    assert status["database"]["bytes"] > 0

    rows = [
        {
            "mailing": "m",
            "address": f"{name}@example.com",
            "result": "bounced",
            "time": "2026-01-01T12:00:00Z",
            "diagnostic": "550 5.1.1 <x@example.com>: Recipient address rejected: User unknown",
        }
        for name in ("ann", "bob")
    ]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"mailing": "m"}\n')
    summary = up_process.json("send", str(tmp_path / "results.jsonl"), code=1)
    assert (summary["results"], summary["refused"]) == (2, 1)
    assert summary["problems"][0]["where"].endswith("results.jsonl:3")

    blocked = up_process.wait_for(lambda: len(found := up_process.json("blocked", "list")) == 2 and found)
    assert {row["address"] for row in blocked} == {"ann@example.com", "bob@example.com"}
    looked_up = up_process.json("blocked", "lookup", "Ann@Example.com")
    assert looked_up["blocked"]
    assert looked_up["reason"] == "user_unknown"
    assert "ann@example.com" in up_process.run("blocked", "list")

    # `up` holds the folder
    assert "already runs" in _stderr(up_process, "up")
    up_process.run("down")
    assert up_process.process is not None
    assert up_process.process.wait(PATIENCE) == 0
    up_process.forget_the_usual_ports()
    assert up_process.json("status", code=3)["ok"] is False


def test_a_killed_service_comes_back_and_a_simulated_mailing_comes_through(up_process: UpProcess) -> None:
    up_process.up("--workers", "classifier=2", "--senders", "default,news")
    for child in up_process.children().values():
        child.kill()
    simulated = up_process.json("simulate", "-n", "500", "--sender", "news", "--mailing", "m1")
    token = up_process.run("token", "--tenant", TENANT).strip()

    def judged() -> bool:
        with closing(Api(_running(up_process).urls, token)) as api:
            try:
                rows = api.get("classifier", "/v1/verdicts/counts", mailing="m1")["items"]
            except ReturpostError:
                return False
        return bool(sum(row["count"] for row in rows) >= simulated["hard bounces"] + simulated["soft bounces"])

    up_process.wait_for(judged)
    up_process.wait_for(lambda: _is_well(up_process))
    assert up_process.log().count("starts again in") >= len(PROGRAMS)


def test_each_service_has_its_own_secrets_alone(up_process: UpProcess) -> None:
    up_process.up()
    for service, process in up_process.children().items():
        environment = process.environ()
        if service == "console":  # it knows the others by their HTTP alone
            assert not {"RETURPOST_AMQP_URL", "RETURPOST_DATABASE_URL"} & environment.keys()
        else:
            assert f"returpost-{service}:" in environment["RETURPOST_AMQP_URL"]
            assert f"returpost_{service}:" in environment["RETURPOST_DATABASE_URL"]
        for user, password in BROKER_PASSWORDS.items():
            if user != f"returpost-{service}":
                assert all(quote(password, safe="") not in value for value in environment.values())
        assert not any(name.endswith("PASSWORD") for name in environment if name.startswith("RETURPOST_"))


def test_only_what_was_asked_for(up_process: UpProcess) -> None:
    up_process.up("--only", "ingest,classifier")
    assert set(up_process.children()) == {"ingest", "classifier"}


def _variable(user: str) -> str:
    return f"RETURPOST_{user.removeprefix('returpost-').replace('-', '_').upper()}_AMQP_PASSWORD"


def _running(up_process: UpProcess) -> Any:
    found = up_process.installation.running()
    assert found is not None
    return found


def _stderr(up_process: UpProcess, *arguments: str) -> str:
    command = [sys.executable, "-m", "returpost", *arguments, "--dir", str(up_process.installation.folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def _is_well(up_process: UpProcess) -> bool:
    command = [sys.executable, "-m", "returpost", "status", "--dir", str(up_process.installation.folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
