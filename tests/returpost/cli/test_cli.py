"""The command line without a running system: help, wrong use, exit codes, tokens."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deploy.commands.simulate import receivers_of
from deploy.commands.token import lifetime_of
from deploy.commands.up import services_of, workers_of
from returpost.cli import terminal
from returpost.cli.installation import PROGRAMS
from returpost.cli.root import all_commands, app, load
from returpost.errors import InvalidSettings
from shared.http.auth import ALL_TENANTS, verify
from shared.messaging.topology import queues

KEY = "a-key-for-tests-of-sufficient-length"
AWAY = {f"RETURPOST_{service.upper()}_URL": "http://127.0.0.1:1" for service in PROGRAMS}

runner = CliRunner()


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and no settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "AMQP_URL",
        "DATABASE_URL",
        "AMQP_MANAGEMENT_URL",
        "TOKEN",
        "TOKEN_KEYS",
        "TENANT",
        "DIR",
        "SECRETS_DIR",
    ):
        monkeypatch.delenv(f"RETURPOST_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def test_help_names_every_command() -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    for name, entry in all_commands().items():
        assert name in result.output
        assert entry.help.rstrip(".")[:30] in result.output


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_every_command_can_be_loaded_and_explains_itself(name: str) -> None:
    assert load(name).name == name
    result = runner.invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output


def test_help_imports_nothing_that_takes_its_time() -> None:
    code = (
        "import sys\nsys.argv = ['returpost', '--help']\n"
        "from returpost.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'pydantic', 'aio_pika', 'fastapi', 'asyncpg', 'psycopg', 're2', 'aiohttp'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in done.stdout


def test_the_client_library_alone_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom returpost.cli.main import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'returpost[cli]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["no-such-command"], 2, "No such command"),
        (["statsu"], 2, "status"),
        (["up", "--only", "ingest,nothing"], 2, "no service nothing"),
        (["up", "--workers", "ingest"], 2, "ingest=2"),
        (["up", "--senders", "News!"], 2, "--senders"),
        (["token"], 2, "RETURPOST_TOKEN_KEYS"),
        (["migrate"], 2, "RETURPOST_DATABASE_URL"),
        (["topology", "apply"], 2, "RETURPOST_AMQP_URL"),
        (["simulate", "-n", "10"], 2, "returpost up"),
        (["simulate", "-n", "0"], 2, "--recipients"),
        (["simulate", "--hard", "0.6", "--soft", "0.6", "--dry-run"], 2, "mix"),
        (["send", "nowhere.jsonl"], 2, "key to sign tokens"),
        (["blocked", "lookup", "no-address"], 2, "address needs"),
    ],
)
def test_wrong_use_is_explained(arguments: list[str], code: int, words: str) -> None:
    result = runner.invoke(app, arguments)
    assert words in result.output
    assert result.exit_code == code
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments", [["blocked", "list"], ["blocked", "lookup", "ann@example.com"], ["send", "mail.eml"], ["status"]]
)
def test_a_service_that_is_away_is_exit_code_3(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mail.eml").write_text("Subject: x\n\ny\n")
    monkeypatch.setenv("RETURPOST_TOKEN_KEYS", KEY)
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    assert runner.invoke(app, arguments).exit_code == 3


def test_a_file_that_cannot_be_is_named_without_a_stack(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    result = runner.invoke(app, ["up", "--dir", str(taken)])
    assert result.exit_code == 2
    assert result.stderr == f"returpost: {taken}: File exists\n"


@pytest.mark.parametrize("columns", [60, 100, 140])
def test_help_is_wrapped_by_the_terminal_alone(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = runner.invoke(app, ["erase", "verify", "--help"]).output
    paragraph = next(text for text in re.split(r"\n\s*\n", shown) if "accordingly long" in " ".join(text.split()))
    lines = [line.strip() for line in paragraph.strip().splitlines()]
    assert all(len(f"{line} {after.split()[0]}") > columns - 2 for line, after in pairwise(lines)), lines


def test_down_when_nothing_runs() -> None:
    result = runner.invoke(app, ["down"])
    assert result.exit_code == 0
    assert "nothing runs" in result.output


def test_a_token_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_TOKEN_KEYS", f"{KEY},{KEY}-old")
    made = runner.invoke(app, ["token", "--tenant", "acme", "--scopes", "send,read", "--name", "news"])
    who = verify(made.output.strip(), [KEY])
    assert who is not None
    assert (who.name, who.tenant, set(who.scopes)) == ("news", "acme", {"send", "read"})
    for_all = verify(runner.invoke(app, ["token", "--tenant", "*"]).output.strip(), [KEY])
    assert for_all is not None
    assert for_all.tenant == ALL_TENANTS
    marketer = verify(runner.invoke(app, ["token", "--role", "marketer"]).output.strip(), [KEY])
    assert marketer is not None
    assert marketer.scopes == {"read", "check", "write"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--scopes", "fly"],
        ["--scopes", ""],
        ["--lifetime", "1y"],
        ["--tenant", "A B"],
        ["--role", "king"],
        ["--role", "viewer", "--scopes", "read"],
    ],
)
def test_a_token_that_cannot_be_is_refused(wrong: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_TOKEN_KEYS", KEY)
    assert runner.invoke(app, ["token", *wrong]).exit_code == 2


@pytest.mark.parametrize(
    ("text", "life"), [("30m", timedelta(minutes=30)), ("12h", timedelta(hours=12)), ("9d", timedelta(9))]
)
def test_lifetimes(text: str, life: timedelta) -> None:
    assert lifetime_of(text) == life


@pytest.mark.parametrize("text", ["", "0h", "h", "-1h", "1.5h", "999999d"])
def test_lifetimes_that_are_none(text: str) -> None:
    with pytest.raises(InvalidSettings):
        lifetime_of(text)


def test_only_and_workers() -> None:
    assert services_of("") == PROGRAMS
    assert services_of("classifier, ingest") == ("ingest", "classifier")
    assert workers_of(["ingest=2", "actions=3,replay=1"]) == {"ingest": 2, "actions": 3, "replay": 1}
    for wrong in (["ingest=0"], ["ingest=x"], ["nobody=1"], ["ingest=65"]):
        with pytest.raises(InvalidSettings):
            workers_of(wrong)


def test_the_topology_is_shown_without_a_broker() -> None:
    result = runner.invoke(app, ["topology", "show", "--json", "--senders", "news"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert {queue["name"] for queue in shown["queues"]} == {queue.name for queue in queues(("news",))}
    assert "classifier.bounce-received" in runner.invoke(app, ["topology", "show"]).output


def test_a_dry_run_tells_what_would_be_handed_in() -> None:
    shown = json.loads(runner.invoke(app, ["simulate", "-n", "1000", "--dry-run", "--json"]).stdout)
    assert shown["recipients"] == 1000
    assert shown["results"] == 1000 + shown["opens"] + shown["complaints"]
    assert 0 < shown["soft bounces"] < 100


def test_receiving_domains() -> None:
    found = receivers_of("gmail.example=0.7, B.example=3")
    assert [(one.domain, one.share) for one in found] == [("gmail.example", 0.7), ("b.example", 3.0)]
    for wrong in ("gmail.example", "=1", "a b=1", "a.example=0", "a.example=x", "a.example=inf"):
        with pytest.raises(InvalidSettings):
            receivers_of(wrong)


def test_a_narrow_table_leaves_out_what_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "out", Console(width=20))
    columns, rows = terminal._fitted(("address", "note", "until"), [("ann@example.com", "", None), ("bob", "", None)])
    assert (list(columns), rows) == (["address"], [("ann@example.com",), ("bob",)])
    monkeypatch.setattr(terminal, "out", Console(width=80))
    assert list(terminal._fitted(("address", "note"), [("ann", "")])[0]) == ["address", "note"]
