"""Manifests hold what the service, its images and the simulation of scaling hold."""

import json
import re
import tomllib

import pytest

from bench import autoscale_cluster
from relatent_service.main import LAST_CHUNK_SECONDS
from relatent_service.rpc.server import SERVICES
from relatent_service.settings import PREFIX, ServerSettings, read_settings
from tests.deploy.manifests import KUBERNETES, MONITORING, ROOT, containers, documents, manifests, nodes

TARGET = json.loads((ROOT / "docs" / "bench.json").read_text())["autoscale"]["target_seconds"]
(DEPLOYMENT,) = documents(KUBERNETES / "base" / "deployment.yaml")
(SERVICE,) = containers(DEPLOYMENT)
(BESIDE,) = documents(KUBERNETES / "components" / "triton-beside" / "deployment.yaml")
POOL = {
    document["kind"]: document for document in documents(KUBERNETES / "overlays" / "pool" / "triton.yaml")
}


def variables(container) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def service_settings() -> ServerSettings:
    """As the base has them, beside a Triton."""
    return read_settings([], {"RELATENT_TRITON": "127.0.0.1:8001", **variables(SERVICE)})


def test_every_variable_is_a_flag_of_the_service_with_a_value_that_it_takes() -> None:
    known = {PREFIX + name.upper() for name in ServerSettings.__annotations__}
    named = [
        node
        for _, document in manifests()
        for node in nodes(document)
        if str(node.get("name", "")).startswith(PREFIX)
    ]
    assert {node["name"] for node in named} - known == set()
    # Those of a secret have theirs in the cluster.
    found = {node["name"]: node["value"] for node in named if "valueFrom" not in node}
    settings = read_settings([], found)
    assert settings.engine == "triton"
    assert settings.triton


def test_ports_are_those_that_the_images_listen_on() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    exposed = [set(map(int, line.split())) for line in re.findall(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE)]
    settings = service_settings()
    assert {settings.listen.port, settings.metrics_listen.port} == exposed[0]
    assert {port["containerPort"] for port in SERVICE["ports"]} == exposed[0]
    (pooled,) = containers(POOL["StatefulSet"])
    assert {port["containerPort"] for port in pooled["ports"]} == exposed[1]
    assert settings.listen.port == SERVICE["readinessProbe"]["grpc"]["port"]


@pytest.mark.parametrize("shape", ["beside", "pool"])
def test_triton_is_started_as_its_image_starts_it(shape: str) -> None:
    (command,) = re.findall(r'^CMD (\["tritonserver".*\])$', (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    container = containers(BESIDE if shape == "beside" else POOL["StatefulSet"])[0]
    more = {"--grpc-address=127.0.0.1"} if shape == "beside" else set()
    assert set(container["args"]) == set(json.loads(command)) | more


def test_a_pod_is_given_the_time_that_its_end_takes() -> None:
    drain = service_settings().drain_seconds
    before = SERVICE["lifecycle"]["preStop"]["sleep"]["seconds"]
    triton_ends = 30  # the default of tritonserver's --exit-timeout-secs
    grace = DEPLOYMENT["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= before + drain + LAST_CHUNK_SECONDS + triton_ends
    assert before > SERVICE["readinessProbe"]["periodSeconds"]
    assert POOL["StatefulSet"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > triton_ends


def test_clients_hear_of_new_replicas_before_the_autoscaler_gives_them_up() -> None:
    age = service_settings().max_connection_age_seconds
    assert age < autoscale_cluster.STABILISATION_SECONDS / 2


def test_the_pool_is_as_large_as_the_list_of_its_addresses() -> None:
    (patch,) = documents(KUBERNETES / "overlays" / "pool" / "service.yaml")
    addresses = read_settings([], variables(containers(patch)[0])).triton
    pool = POOL["StatefulSet"]
    name, service = pool["metadata"]["name"], POOL["Service"]["metadata"]["name"]
    port = POOL["Service"]["spec"]["ports"][0]["port"]
    expected = [f"{name}-{index}.{service}:{port}" for index in range(pool["spec"]["replicas"])]
    assert list(addresses) == expected


def test_a_gpu_pod_has_as_long_to_build_engines_as_the_script_that_builds_them() -> None:
    (patch,) = documents(KUBERNETES / "overlays" / "gpu" / "deployment.yaml")
    (seconds,) = re.findall(r"BUILD_SECONDS:-(\d+)", (ROOT / "deploy" / "build-engines").read_text())
    probe = patch["spec"]["template"]["spec"]["initContainers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= int(seconds)
    assert patch["spec"]["progressDeadlineSeconds"] > int(seconds)


def test_images_have_the_projects_version_wherever_they_are_named() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = [image for _, one in manifests() if "images" in one for image in one["images"]]
    assert {image["name"] for image in images} == {"relatent-service", "relatent-triton"}
    assert {image["newTag"] for image in images} == {version}


def test_replicas_are_scaled_as_the_simulation_recommends() -> None:
    (scaled,) = documents(KUBERNETES / "components" / "keda" / "scaledobject.yaml")
    (plain,) = documents(KUBERNETES / "components" / "hpa" / "autoscaler.yaml")
    (trigger,) = scaled["spec"]["triggers"]
    (metric,) = plain["spec"]["metrics"]
    assert float(trigger["metadata"]["threshold"]) == TARGET
    assert float(metric["external"]["target"]["averageValue"]) == TARGET
    assert f"> 2 * {TARGET}" in (MONITORING / "rules.yaml").read_text()


def test_replicas_are_scaled_by_the_rules_that_were_simulated() -> None:
    (scaled,) = documents(KUBERNETES / "components" / "keda" / "scaledobject.yaml")
    (plain,) = documents(KUBERNETES / "components" / "hpa" / "autoscaler.yaml")
    behavior = plain["spec"]["behavior"]
    assert scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == behavior
    bounds = (autoscale_cluster.LEAST, autoscale_cluster.MOST)
    assert (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"]) == bounds
    assert (plain["spec"]["minReplicas"], plain["spec"]["maxReplicas"]) == bounds
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == autoscale_cluster.STABILISATION_SECONDS
    assert scaled["spec"]["pollingInterval"] == autoscale_cluster.TICK_SECONDS
    percent, pods = behavior["scaleUp"]["policies"]
    assert 1 + percent["value"] / 100 == autoscale_cluster.TIMES_AT_A_TIME
    assert pods["value"] == autoscale_cluster.MORE_AT_A_TIME


def test_the_gateway_lets_every_service_through_but_reflection() -> None:
    _, route = documents(KUBERNETES / "examples" / "grpcroute.yaml")
    (rule,) = route["spec"]["rules"]
    let_through = {match["method"]["service"] for match in rule["matches"]}
    assert let_through == {*SERVICES, "grpc.health.v1.Health"}
