"""The containers: what docker-compose.yml and the image name is in the code, and their secrets are enough to start."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
import yaml

from deploy import generate_secrets
from deploy.generate import documents as generate
from returpost.cli.root import all_commands
from returpost.contracts.routing import SERVICES
from services.console.settings import Settings as Console
from shared.messaging.topology import service_users
from shared.settings import ServiceSettings
from tests.conftest import PASSWORDS
from tests.deploy.rabbitmq.test_broker import PASSWORDS as BROKER_PASSWORDS

COMPOSE = generate.ROOT / "docker-compose.yml"
DOCKERFILE = generate.ROOT / "deploy/Dockerfile"
SETTINGS_OF_THE_COMMAND = {"AMQP_MANAGEMENT_URL", "SECRETS_DIR", "RELEASE"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


def secrets_of(compose: dict[str, Any], container: str, names: list[str]) -> list[str]:
    """Return the names of the secrets that a container finds in /run/secrets."""
    (volume,) = [one for one in compose["services"][container]["volumes"] if one.endswith(":/run/secrets:ro")]
    return generate_secrets.by_container(names)[volume.removeprefix("secrets-").removesuffix(":/run/secrets:ro")]


def settings_of(service: str) -> set[str]:
    kind = import_module(f"services.{service}.settings").Settings
    return {name.upper() for name in kind.model_fields}


def test_every_service_runs_its_module_and_is_asked_for_its_health(compose: dict[str, Any]) -> None:
    for service in SERVICES:
        entry = compose["services"][service]
        (module,) = entry["command"]
        assert callable(import_module(module).main)
        port = import_module(f"services.{service}.settings").Settings.model_fields["http_port"].default
        public = ["${RETURPOST_BIND:-127.0.0.1}:" + f"{port}:{port}"]
        assert entry.get("ports", []) == (public if service == "ingest" else [])
        app = import_module(module).create(import_module(f"services.{service}.settings").Settings.model_construct()).app
        url = re.search(r"http://127\.0\.0\.1:(\d+)(/[\w/]+)", entry["healthcheck"]["test"][-1])
        assert url is not None
        assert int(url[1]) == port
        assert url[2] in app.openapi()["paths"]
        assert entry["depends_on"]["setup"]["condition"] == "service_completed_successfully"


def test_commands_are_those_of_the_command_line(compose: dict[str, Any]) -> None:
    lines = []
    for service in ("setup", "first-user"):
        entry = compose["services"][service]
        lines.append(" ".join([*entry["entrypoint"], *entry.get("command", ())]))
    commands = re.findall(r"returpost ([a-z]+(?: [a-z]+)?)", "; ".join(lines))
    assert commands == ["migrate", "topology apply", "user list", "user add"]
    assert {command.split()[0] for command in commands} <= set(all_commands())
    comments = re.findall(r"^#   (\S.*)$", COMPOSE.read_text(), re.MULTILINE)
    used = [shlex.split(line) for line in comments]
    assert {line[2] for line in used} == {"up", "logs", "run"}  # where `docker compose` finds the file by itself
    assert {line[5] for line in used if line[2] == "run"} <= set(all_commands())


def test_the_console_runs_its_module_without_a_secret_and_knows_where_the_services_are(compose: dict[str, Any]) -> None:
    entry = compose["services"]["console"]
    assert callable(import_module(entry["command"][0]).main)
    port = Console.model_fields["http_port"].default
    assert entry["ports"] == ["${RETURPOST_BIND:-127.0.0.1}:" + f"{port}:{port}"]
    assert f"http://127.0.0.1:{port}/health/ready" in entry["healthcheck"]["test"][-1]
    assert "volumes" not in entry
    for service in SERVICES:
        own = import_module(f"services.{service}.settings").Settings.model_fields["http_port"].default
        assert entry["environment"][f"RETURPOST_{service.upper()}_URL"] == f"http://{service}:{own}"


def test_variables_are_settings(compose: dict[str, Any]) -> None:
    known = SETTINGS_OF_THE_COMMAND | {name.upper() for name in (*ServiceSettings.model_fields, *Console.model_fields)}
    image = re.findall(r"RETURPOST_([A-Z_]+)=", DOCKERFILE.read_text())
    assert image
    assert set(image) <= known
    for service, entry in compose["services"].items():
        ours = [
            name.removeprefix("RETURPOST_") for name in entry.get("environment", {}) if name.startswith("RETURPOST")
        ]
        own = {f"{service.upper()}_{name}" for name in settings_of(service)} if service in SERVICES else set()
        assert set(ours) <= known | own


def test_each_container_gets_its_own_secrets_alone(tmp_path: Path, compose: dict[str, Any]) -> None:
    drawn = generate_secrets.generate(tmp_path)
    generate_secrets.distribute(tmp_path)
    volumes = compose["services"]["secrets"]["volumes"]
    assert volumes == ["secrets:/secrets", *(f"secrets-{one}:/secrets/{one}" for one in volumes_of(drawn))]
    assert set(compose["volumes"]) == {
        "postgres",
        "rabbitmq",
        "secrets",
        *(f"secrets-{one}" for one in volumes_of(drawn)),
    }
    for container, wanted in generate_secrets.by_container(drawn).items():
        assert sorted(path.name for path in (tmp_path / container).iterdir()) == sorted(wanted)
    for service in SERVICES:
        for name in secrets_of(compose, service, drawn):
            own = name.removeprefix("returpost_").removeprefix(f"{service}_").upper()
            assert own in settings_of(service), name
            assert name == "returpost_token_keys" or name.startswith(f"returpost_{service}_")
    users = {user.name.removeprefix("returpost-").replace("-", "_") for user in service_users()}
    assert {f"returpost_{user}_amqp_password" for user in users} <= set(secrets_of(compose, "setup", drawn))
    assert secrets_of(compose, "tools", drawn) == ["returpost_token_keys"]


def volumes_of(names: list[str]) -> list[str]:
    found = generate_secrets.by_container(names)
    return ["postgres", "rabbitmq", "setup", *(one for one in found if one in SERVICES), "tools"]


def test_our_containers_may_write_nothing_and_gain_nothing(compose: dict[str, Any]) -> None:
    for name, entry in compose["services"].items():
        assert entry["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        if entry["image"] == "returpost":
            assert entry["read_only"] is True, name
            assert entry["cap_drop"] == ["ALL"], name
            assert entry["security_opt"] == ["no-new-privileges:true"], name


def test_nothing_is_drawn_twice(tmp_path: Path) -> None:
    assert generate_secrets.main([str(tmp_path / "secrets")]) == 0
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir() if path.is_file()}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert generate_secrets.generate(tmp_path / "secrets", ["default", "invoices"]) == [
        "returpost_sender_invoices_amqp_password"
    ]
    assert {name: (tmp_path / "secrets" / name).read_text() for name in before} == before


def test_the_image_has_what_it_copies_and_the_lock_has_hashes() -> None:
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE.read_text(), re.MULTILINE)
    copied = [source for line in lines for source in line.split()[:-1]]
    assert all(list(generate.ROOT.glob(source)) for source in copied)
    lock = (generate.ROOT / "deploy/requirements.lock").read_text()
    names = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    assert {"aio-pika", "asyncpg", "fastapi"} <= names
    assert not names & {"pytest", "mypy", "ruff"}
    everything = (generate.ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9._-]+==\S+", lock, re.MULTILINE)
    assert [pin for pin in pins if pin not in everything] == [], "the image runs what the tests ran"


@pytest.mark.services
@pytest.mark.anyio
async def test_setup_and_services_start_with_the_secrets_alone(
    tmp_path: Path, backing: Any, vhost: str, database: str, compose: dict[str, Any]
) -> None:
    broker, server = urlsplit(backing.amqp_url), urlsplit(database)
    folder = tmp_path / "secrets"
    folder.mkdir()
    # Users belong to whole servers, and other tests work with them: the passwords are the tests'.
    for user, password in BROKER_PASSWORDS.items():
        (folder / f"returpost_{user.removeprefix('returpost-').replace('-', '_')}_amqp_password").write_text(password)
    for service, password in PASSWORDS.items():
        (folder / f"returpost_{service}_database_password").write_text(password)
    where = server.netloc.rpartition("@")[2] + server.path
    generate_secrets.generate(folder, broker=broker.netloc.rpartition("@")[2], database=where)
    for file in folder.glob("returpost_*_amqp_url"):
        file.write_text(file.read_text() + quote(vhost, safe=""))
    (folder / "returpost_amqp_url").write_text(broker._replace(path=f"/{quote(vhost, safe='')}").geturl())
    (folder / "returpost_database_url").write_text(database)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RETURPOST_")}
    environment = plain | {
        "RETURPOST_SECRETS_DIR": str(mounted(compose, "setup", folder, tmp_path)),
        "RETURPOST_AMQP_MANAGEMENT_URL": backing.management_url,
    }
    (script,) = compose["services"]["setup"]["command"]
    script = script.replace("python -m", f"{shlex.quote(sys.executable)} -m")
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-ec", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for service in SERVICES:
        own = str(mounted(compose, service, folder, tmp_path))
        await starts(service, plain | {"RETURPOST_SECRETS_DIR": own, "RETURPOST_HTTP_PORT": "0"})


def mounted(compose: dict[str, Any], service: str, folder: Path, under: Path) -> Path:
    """Return a folder with the secrets of one service alone, as its container sees them."""
    own = under / service
    own.mkdir()
    for name in secrets_of(compose, service, [path.name for path in folder.iterdir()]):
        (own / name).write_text((folder / name).read_text())
    return own


async def starts(service: str, environment: dict[str, str]) -> None:
    """Run the service until it says that it is ready and answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}.app", env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        url = ""
        async for line in process.stderr:
            told = json.loads(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", told["event"]):
                url = found[0]
                break
        assert url, f"{service} ended"
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{url}/health/ready")
        assert answer.status_code == 200, answer.text
    finally:
        process.terminate()
        await process.communicate()
