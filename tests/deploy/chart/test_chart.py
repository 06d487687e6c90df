"""The chart: every size renders to objects that hang together, and that say what the rest of the project says."""

import json
import re
from typing import Any

import pytest

from deploy.generate_secrets import by_container
from returpost.cli.installation import PORTS
from returpost.contracts.routing import SERVICES
from shared.messaging.topology import queues
from tests.deploy.chart.renderer import CHART, render, values

SIZES = ((), ("values-medium.yaml",), ("values-large.yaml",))
WORKLOADS = ("Deployment", "Job")


@pytest.fixture(params=SIZES, ids=("small", "medium", "large"))
def given(request: pytest.FixtureRequest) -> dict[str, Any]:
    return values(*request.param)


@pytest.fixture
def objects(given: dict[str, Any]) -> list[dict[str, Any]]:
    return render(given)


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] in kinds]


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = workload["spec"]["template"]
    return pod


def test_each_object_has_a_name_of_its_own(objects: list[dict[str, Any]]) -> None:
    names = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for _, _, name in names)


def test_there_is_a_workload_a_service_and_a_budget_of_each_program(objects: list[dict[str, Any]]) -> None:
    wanted = {f"mail-{name}" for name in (*SERVICES, "console")}
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        assert {one["metadata"]["name"] for one in of_kind(objects, kind)} == wanted
    for workload in of_kind(objects, "Deployment"):
        name = workload["metadata"]["labels"]["app.kubernetes.io/name"]
        (container,) = pod_of(workload)["spec"]["containers"]
        assert container["args"] == [f"services.{name}.app"]
        assert container["ports"] == [{"name": "http", "containerPort": PORTS[name]}]
        environment = {one["name"]: one["value"] for one in container["env"]}
        assert environment["RETURPOST_HTTP_PORT"] == str(PORTS[name])


def test_what_selects_finds_exactly_one_workload(objects: list[dict[str, Any]]) -> None:
    labels = [pod_of(one)["metadata"]["labels"] for one in of_kind(objects, *WORKLOADS)]
    for one in of_kind(objects, "Deployment", "Service", "PodDisruptionBudget"):
        selector = one["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        assert sum(wanted.items() <= found.items() for found in labels) == 1, one["metadata"]["name"]


def test_a_budget_leaves_room_to_move_a_process(given: dict[str, Any]) -> None:
    for one in (*given["services"].values(), given["console"]):
        assert one["minAvailable"] < one["replicas"] <= one.get("maxReplicas", one["replicas"])


def test_containers_may_do_nothing(objects: list[dict[str, Any]]) -> None:
    for workload in of_kind(objects, *WORKLOADS):
        pod = pod_of(workload)["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_secrets_come_from_outside_and_each_service_sees_its_own(objects: list[dict[str, Any]]) -> None:
    assert not of_kind(objects, "Secret", "ConfigMap")
    containers = by_container([])
    for workload in of_kind(objects, *WORKLOADS):
        name = workload["metadata"]["labels"]["app.kubernetes.io/name"]
        named = [one["secret"]["secretName"] for one in pod_of(workload)["spec"]["volumes"] if "secret" in one]
        assert named == ([f"returpost-{name}"] if name in containers else []), name


def test_queues_that_scale_are_there_and_are_the_services_own(objects: list[dict[str, Any]]) -> None:
    known = {queue.name for queue in queues()}
    for one in of_kind(objects, "ScaledObject"):
        (trigger,) = one["spec"]["triggers"]
        assert trigger["metadata"]["queueName"] in known
        assert one["metadata"]["name"] == f"mail-{trigger['metadata']['queueName'].partition('.')[0]}"
        assert trigger["authenticationRef"]["name"] in {
            other["metadata"]["name"] for other in of_kind(objects, "TriggerAuthentication")
        }


def test_nothing_comes_in_but_from_the_console_actions_and_the_ingress(objects: list[dict[str, Any]]) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(objects, "NetworkPolicy")}
    assert "ingress" not in policies["mail-nothing-else"]
    for name in SERVICES:
        (rule,) = policies[f"mail-to-{name}"]["ingress"]
        assert rule["from"][0]["podSelector"]["matchExpressions"][0]["values"] == ["console", "actions"]
    assert policies["mail-from-outside"]["podSelector"]["matchExpressions"][0]["values"] == ["console", "ingest"]


def test_the_setup_runs_before_new_processes(given: dict[str, Any]) -> None:
    for own, hook in ((True, "post-install,pre-upgrade"), (False, "pre-install,pre-upgrade")):
        servers = {name: given[name] | {"create": own} for name in ("broker", "database")}
        (job,) = of_kind(render(given | servers), "Job")
        assert job["metadata"]["annotations"]["helm.sh/hook"] == hook


def test_servers_and_scalers_can_be_left_out(given: dict[str, Any]) -> None:
    servers = {name: given[name] | {"create": False} for name in ("broker", "database")}
    found = render(given | servers | {"autoscaling": False})
    kinds = {one["kind"] for one in found}
    assert kinds == {"Deployment", "Service", "PodDisruptionBudget", "Job", "NetworkPolicy"}
    assert all(one["spec"]["replicas"] >= 1 for one in of_kind(found, "Deployment"))


def test_values_keep_to_their_schema(given: dict[str, Any]) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert given.keys() == schema["properties"].keys() - {"global"}
    assert set(schema["required"]) == set(given)
    for place, wanted in ((given["services"]["ingest"], "service"), (given["console"], "program")):
        assert set(schema["$defs"][wanted]["required"]) <= place.keys()
    assert re.fullmatch(schema["properties"]["streamDays"]["pattern"], given["streamDays"])
    assert re.fullmatch(schema["$defs"]["server"]["properties"]["storage"]["pattern"], given["broker"]["storage"])
