"""The command line as `pip install returpost[cli]` has it: nothing of the server is importable."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from returpost.cli.installation import PROGRAMS
from returpost.cli.root import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
AWAY = {f"RETURPOST_{service.upper()}_URL": "http://127.0.0.1:1" for service in PROGRAMS}
RUN = """
import sys
root = sys.argv.pop(1)
sys.path[:] = [".", *(place for place in sys.path if place not in ("", root))]
from returpost.cli.main import main
main()
"""


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A folder with the package that users install, and no other of ours."""
    (tmp_path / "returpost").symlink_to(ROOT / "returpost")
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT), *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_commands_of_the_server_are_not_offered(alone: Path) -> None:
    done = run(alone, "--help")
    assert done.returncode == 0
    offered = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("\u2502 ") and line[2] != " "}
    assert set(COMMANDS) <= offered
    assert not {"up", "down", "demo", "migrate", "topology", "simulate", "token"} & offered
    assert run(alone, "up").returncode == 2


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_other_command_loads(alone: Path, name: str) -> None:
    done = run(alone, name, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_token_is_asked_for(alone: Path) -> None:
    done = run(alone, "blocked", "list")
    assert done.returncode == 2
    assert "RETURPOST_TOKEN is not set" in done.stderr
    assert run(alone, "blocked", "list", RETURPOST_TOKEN="x", **AWAY).returncode == 3


def test_status_names_what_needs_the_server(alone: Path) -> None:
    done = run(alone, "status", "--json", **AWAY)
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert "needs the server" in told["queues"]["error"]
    assert "needs the server" in told["database"]["error"]


def test_erase_verify_names_what_needs_the_server(alone: Path) -> None:
    done = run(alone, "erase", "verify", "ann@example.com", "--json", RETURPOST_TOKEN="x", **AWAY)
    assert done.returncode == 1
    assert "needs the server" in json.loads(done.stdout)["problem"]


def test_rules_diff_over_the_archive_needs_the_broker(alone: Path) -> None:
    (alone / "own").mkdir()
    done = run(alone, "rules", "diff", "own", "--archive")
    assert done.returncode == 2
    assert "RETURPOST_AMQP_URL is not set" in done.stderr


def test_classify_needs_no_service(alone: Path) -> None:
    (alone / "replies.txt").write_text("550 5.1.1 User unknown\n")
    done = run(alone, "classify", "--json", "--lines", "replies.txt")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reason"] == "user_unknown"
