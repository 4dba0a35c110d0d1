"""What the overlays render to, held against schemas and against what a cautious cluster demands."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.manifests import KUBERNETES, OVERLAYS, containers, documents
from tests.deploy_tools.conftest import Run

COMBINED = [(overlay, ()) for overlay in OVERLAYS] + [
    ("one-pod", ("hpa",)),
    ("one-pod", ("keda",)),
    ("one-pod", ("keda", "keda-to-zero")),
    ("gpu", ("models-from-image",)),
    ("one-pod", ("redis",)),
    ("one-pod", ("secured",)),
    ("pool", ("redis", "collector")),
]
CUSTOM = {"ScaledObject", "Gateway", "GRPCRoute"}
WORKLOADS = ("Deployment", "StatefulSet")


@pytest.fixture(params=COMBINED, ids=lambda pair: "+".join([pair[0], *pair[1]]))
def rendered(request, render: Callable[..., Path]) -> Path:
    overlay, components = request.param
    return render(overlay, *components)


def validated(tool: Run, file: Path) -> list[str]:
    """What kubernetes-validate has to say, but for custom resources, which have checks of their own."""
    done = tool("kubernetes-validate", "--strict", "--quiet", file)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if not any(f"schema for kind {kind} " in line for kind in CUSTOM)]


def checked(tool: Run, file: Path) -> list[str]:
    """The same of custom resources."""
    return tool("python", "-m", "scripts.deploy_checks", "resources", file).stdout.splitlines()


def test_it_is_what_kubernetes_takes(tool: Run, rendered: Path) -> None:
    assert validated(tool, rendered) == []
    assert checked(tool, rendered) == []


def test_every_container_runs_without_rights_on_a_root_that_it_cannot_write(rendered: Path) -> None:
    workloads = [document for document in documents(rendered) if document["kind"] in WORKLOADS]
    assert workloads
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(workload):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["image"].startswith("registry.example/")
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            assert {"startupProbe", "livenessProbe"} <= container.keys()


def test_every_workload_has_a_budget_a_policy_a_name_and_a_spread(rendered: Path) -> None:
    found = documents(rendered)
    for workload in (document for document in found if document["kind"] in WORKLOADS):
        labels = workload["spec"]["selector"]["matchLabels"]
        pod = workload["spec"]["template"]
        assert labels.items() <= pod["metadata"]["labels"].items()
        selecting = {
            document["kind"]
            for document in found
            if labels
            in (
                document.get("spec", {}).get("podSelector", {}).get("matchLabels"),
                document.get("spec", {}).get("selector", {}).get("matchLabels"),
                document.get("spec", {}).get("selector"),
            )
        }
        assert {"PodDisruptionBudget", "NetworkPolicy", "Service"} <= selecting
        spread = pod["spec"]["topologySpreadConstraints"]
        assert all(one["labelSelector"]["matchLabels"] == labels for one in spread)


def test_ports_that_policies_and_services_name_are_there(rendered: Path) -> None:
    found = documents(rendered)
    ports = {
        port["name"]
        for workload in found
        if workload["kind"] in WORKLOADS
        for container in containers(workload)
        for port in container.get("ports", [])
    }
    named = {
        port["port"]
        for document in found
        if document["kind"] == "NetworkPolicy"
        for way in document["spec"]["ingress"]
        for port in way["ports"]
        if isinstance(port["port"], str)
    }
    named |= {
        port["targetPort"]
        for document in found
        if document["kind"] == "Service"
        for port in document["spec"]["ports"]
    }
    assert named <= ports
    assert "triton-metrics" in ports


def test_only_gpu_overlays_ask_for_gpus_and_as_limits_alone(rendered: Path) -> None:
    asked = [
        (container["name"], kind)
        for workload in documents(rendered)
        if workload["kind"] in WORKLOADS
        for container in containers(workload)
        for kind, amounts in container["resources"].items()
        if "nvidia.com/gpu" in amounts
    ]
    assert asked == ([("triton", "limits")] if "gpu" in rendered.name else [])


def test_an_autoscaler_owns_the_number_of_replicas(render: Callable[..., Path]) -> None:
    (deployment,) = (one for one in documents(render("one-pod", "keda")) if one["kind"] == "Deployment")
    assert "replicas" not in deployment["spec"]


def test_scaling_to_zero_needs_somebody_else_who_sees_calls(render: Callable[..., Path]) -> None:
    found = documents(render("one-pod", "keda", "keda-to-zero"))
    (scaled,) = (one["spec"] for one in found if one["kind"] == "ScaledObject")
    assert scaled["minReplicaCount"] == 0
    backlog, callers = (trigger["metadata"] for trigger in scaled["triggers"])
    assert "relatent_backlog_seconds" in backlog["query"]
    assert "relatent" not in callers["query"].split("{")[0]
    known = {"serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues"}
    assert backlog.keys() | callers.keys() <= known


def test_an_image_takes_the_volumes_place(render: Callable[..., Path]) -> None:
    found = documents(render("gpu", "models-from-image"))
    (deployment,) = (one for one in found if one["kind"] == "Deployment")
    (models,) = (one for one in deployment["spec"]["template"]["spec"]["volumes"] if one["name"] == "models")
    assert models.keys() == {"name", "image"}
    assert "PersistentVolumeClaim" not in {one["kind"] for one in found}


def ways_out(file: Path, name: str) -> list[tuple[dict[str, str], list[int]]]:
    """Labels of the pods that a policy lets its own reach, and the ports."""
    (policy,) = (
        one for one in documents(file) if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == name
    )
    return [
        (to.get("podSelector", {}).get("matchLabels", {}), [port["port"] for port in way["ports"]])
        for way in policy["spec"]["egress"]
        for to in way["to"]
    ]


def test_services_reach_redis_and_the_collector_where_they_are_used_and_nowhere_else(
    render: Callable[..., Path],
) -> None:
    names: tuple[dict[str, str], list[int]] = ({}, [53, 53])
    triton = ({"app.kubernetes.io/name": "relatent-triton"}, [8001])
    assert ways_out(render("pool"), "relatent") == [names, triton]
    file = render("pool", "redis", "collector")
    redis = ({"app.kubernetes.io/name": "relatent-redis"}, [6379])
    collector = ({"app.kubernetes.io/name": "opentelemetry-collector"}, [4318])
    assert ways_out(file, "relatent") == [names, triton, redis, collector]
    assert ways_out(file, "relatent-redis") == []


def test_a_secured_service_is_asked_over_tls(render: Callable[..., Path]) -> None:
    (deployment,) = (one for one in documents(render("one-pod", "secured")) if one["kind"] == "Deployment")
    service = containers(deployment)[-1]
    assert {service[probe]["httpGet"]["scheme"] for probe in ("startupProbe", "livenessProbe")} == {"HTTPS"}
    assert service["readinessProbe"].keys() >= {"exec"}
    assert "grpc" not in service["readinessProbe"]
    settings = {entry["name"]: entry.get("value") for entry in service["env"]}
    mounted = {mount["mountPath"] for mount in service["volumeMounts"]}
    files = [settings[name] for name in ("RELATENT_TLS_CERTIFICATE", "RELATENT_TLS_KEY", "RELATENT_API_KEYS")]
    assert {str(Path(file).parent) for file in files} <= mounted


def test_where_spans_go_and_results_are_shared_is_what_services_are_told(render: Callable[..., Path]) -> None:
    found = documents(render("pool", "redis", "collector"))
    (deployment,) = (one for one in found if one["kind"] == "Deployment")
    told = {entry["name"]: entry for entry in containers(deployment)[0]["env"]}
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"]["value"].endswith(":4318")
    assert told["RELATENT_LATENT_CACHE_REDIS"]["valueFrom"] == {
        "secretKeyRef": {"name": "relatent-redis", "key": "url"}
    }


def test_the_example_of_a_gateway_is_what_gateway_api_takes(tool: Run) -> None:
    example = KUBERNETES / "examples" / "grpcroute.yaml"
    assert {document["kind"] for document in documents(example)} <= CUSTOM
    assert checked(tool, example) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("one-pod", "readOnlyRootFilesystem", "readonlyRootFilesystem"),
        ("one-pod", "topologySpreadConstraints", "topologySpread"),
        ("scaled-gpu", "pollingInterval", "poolingInterval"),
        ("scaled-gpu", "threshold: ", "threshold: !!int "),
    ],
)
def test_a_slip_of_the_pen_would_be_found(
    tool: Run, render: Callable[..., Path], name: str, right: str, wrong: str
) -> None:
    file = render(name)
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong))
    assert validated(tool, file) + checked(tool, file)


def test_a_slip_of_the_pen_in_a_route_would_be_found(tool: Run, tmp_path: Path) -> None:
    file = tmp_path / "route.yaml"
    file.write_text((KUBERNETES / "examples" / "grpcroute.yaml").read_text().replace("hostnames", "hostname"))
    assert len(checked(tool, file)) == 1
