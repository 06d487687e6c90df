"""The files that are made from the code are what the code makes."""

import json
from pathlib import Path

import pytest

from deploy.generate import documents as generate
from deploy.generate.settings_reference import settings_reference
from returpost.contracts import routing
from returpost.contracts.routing import SERVICES
from shared.messaging import topology

Documents = dict[Path, str]


@pytest.fixture(scope="module")
def made() -> Documents:
    """What the code makes: seconds of work, so that it is done once for those who only read it."""
    return generate.documents()


def test_the_committed_files_are_up_to_date(made: Documents) -> None:
    assert generate.differences(generate.ROOT, made) == []


def test_the_same_is_made_again_and_a_difference_fails_the_check_and_is_shown(
    made: Documents, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([], tmp_path) == 0
    assert generate.differences(tmp_path, made) == []
    changed = tmp_path / "docs/asyncapi/ingest.json"
    changed.write_text(changed.read_text().replace("returpost.delivery.recorded.v1", "something.else"))
    (tmp_path / "docs/asyncapi/gone.json").write_text("{}")
    assert generate.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "docs/asyncapi/ingest.json" in said
    assert "+" in said
    assert "docs/asyncapi/gone.json: no service of that name" in said
    assert "2 generated files are out of date" in said


def test_the_environment_does_not_change_the_documents(made: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_AMQP_URL", "amqp://somewhere.example/else")
    monkeypatch.setenv("RETURPOST_HTTP_PORT", "1")
    assert generate.documents() == made


def test_definitions_hold_the_topology_and_no_secrets(made: Documents) -> None:
    definitions = json.loads(made[generate.DEFINITIONS])
    assert {queue["name"] for queue in definitions["queues"]} == {queue.name for queue in topology.queues()}
    assert "users" not in definitions


@pytest.mark.parametrize("service", SERVICES)
def test_a_document_names_the_queues_of_its_service(service: str) -> None:
    document = generate.asyncapi(service)
    assert document["asyncapi"].startswith("3.")
    text = json.dumps(document)
    for queue in topology.queues():
        if queue.name.startswith(f"{service}.") and queue.name not in (routing.DEAD_LETTERS, routing.PARKED):
            assert queue.name in text


@pytest.mark.parametrize("service", SERVICES)
def test_openapi_has_every_route_of_a_service(service: str, made: Documents) -> None:
    paths = json.loads(made[generate.OPENAPI / f"{service}.json"])["paths"]
    assert "/health/ready" in paths
    assert sum(path.startswith("/v1/") for path in paths) > 3


def test_settings_reference_has_every_setting() -> None:
    text = settings_reference()
    for name in ("RETURPOST_DATABASE_POOL", "RETURPOST_CLASSIFIER_RETRY_DELAYS", "RETURPOST_CONSOLE_PUBLIC_URL"):
        assert f"| `{name}` |" in text
    assert "| `RETURPOST_INGEST_WEBHOOK_TOLERANCE` | duration | `5 min` |" in text
    assert "| `RETURPOST_HTTP_PORT` | int, ≥ 0, ≤ 65,535 | `0` | Port of the HTTP API; 0: any free port. |" in text
