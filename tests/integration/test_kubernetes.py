"""``deploy/kubernetes``: Kubernetes takes the manifests, and they fit together and the gateway."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config.load import load
from gateway.observe import metrics
from tests.integration.kubernetes import ROOT, Manifest, container, manifests, one

KUBERNETES = "1.37"
OVERLAYS = ("small", "production")
NAME = "streaming-gateway"
COMPOSE = ROOT.parents[1] / "docker-compose.yml"

PATCHED = {"Deployment", "HorizontalPodAutoscaler"}
OF_OTHERS = {"HTTPRoute", "PodMonitor"}
"""Kinds that a cluster does not know by itself."""


def files(folder: str) -> list[Path]:
    """The manifests of a folder."""
    found = sorted((ROOT / folder).glob("*.yaml"))
    return [each for each in found if each.name not in {"kustomization.yaml", *NO_MANIFESTS}]


NO_MANIFESTS = ("prometheus-adapter.yaml", "requests.yaml", "small.yaml")
"""Values of a Helm chart, and patches."""


def base() -> list[Manifest]:
    """All manifests of the base."""
    return [each for path in files("base") for each in manifests(path)]


def kustomized(overlay: str) -> list[Manifest]:
    """What ``kubectl apply -k`` would apply."""
    if shutil.which("kubectl") is None:
        pytest.skip("NOT TESTED: kubectl is not here, and no package registry has a current one")
    ended = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "overlays" / overlay)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert 0 == ended.returncode, ended.stderr
    assert "" == ended.stderr
    return [each for each in yaml.safe_load_all(ended.stdout) if each]


def validate(document: Manifest) -> None:
    """By the schema of its kind, unknown keys included."""
    import kubernetes_validate  # noqa: PLC0415 - slow

    kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", ["base", *(f"overlays/{each}" for each in OVERLAYS)])
def test_kubernetes_takes_every_file(folder: str) -> None:
    """Of each file, as it stands."""
    found = [each for path in files(folder) for each in manifests(path)]
    assert found
    for document in found:
        if document["kind"] not in OF_OTHERS:
            validate(document)


def test_a_manifest_with_a_mistake_is_refused() -> None:
    """So the tests around this one can fail."""
    import kubernetes_validate  # noqa: PLC0415 - slow

    deployment = one("Deployment", base())
    container(deployment)["lifecycle"]["preStop"]["sleep"]["second"] = 5
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(deployment)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_makes_what_kubernetes_takes(overlay: str) -> None:
    """Nothing of it is outside the namespace, and the image is replaced. What no overlay changes is
    validated as it stands in its file."""
    found = kustomized(overlay)
    for document in found:
        if document["kind"] in PATCHED:
            validate(document)
        if document["kind"] != "Namespace":
            assert "streaming" == document["metadata"]["namespace"], document
    wanted = {(each["kind"], each["metadata"]["name"]) for each in base()}
    assert wanted <= {(each["kind"], each["metadata"]["name"]) for each in found}
    image = container(one("Deployment", found))["image"]
    assert image == "registry.example.com/streaming-gateway:1"
    sources = {each.name for each in (ROOT / "base").glob("*.yaml")} - {"kustomization.yaml"}
    listed = yaml.safe_load((ROOT / "base" / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert sources == set(listed)


def test_production_scales_on_cpu_and_on_requests() -> None:
    """The metric of the HorizontalPodAutoscaler is the one that the adapter makes, of a metric and
    of routes that the gateway has."""
    autoscaler = one("HorizontalPodAutoscaler", kustomized("production"))
    cpu, requests = autoscaler["spec"]["metrics"]
    assert "cpu" == cpu["resource"]["name"]
    adapter = yaml.safe_load(
        (ROOT / "overlays" / "production" / "prometheus-adapter.yaml").read_text("utf-8")
    )
    (rule,) = adapter["rules"]["custom"]
    assert rule["name"]["as"] == requests["pods"]["metric"]["name"]
    series = rule["seriesQuery"].partition("{")[0]
    assert series.removesuffix("_total") == metrics.REQUESTS._name
    assert "route" in metrics.REQUESTS._labelnames
    excluded = re.search(r'route!~"([a-z|]+)"', rule["metricsQuery"])
    assert excluded is not None
    page = (ROOT.parents[1] / "docs" / "metrics.md").read_text("utf-8")
    routes = re.search(r"`gateway_requests_total` \| `route` \(`([a-z_ ]+)`\)", page)
    assert routes is not None
    assert set(excluded[1].split("|")) <= set(routes[1].split())


def test_every_pod_may_run_where_little_is_allowed() -> None:
    """As the Pod Security Standard ``restricted`` wants, which the namespace enforces; and nothing
    is written but to volumes."""
    found = [*base(), *manifests(ROOT / "overlays" / "small" / "redis.yaml")]
    labels = one("Namespace", found, "streaming")["metadata"]["labels"]
    assert "restricted" == labels["pod-security.kubernetes.io/enforce"]
    for deployment in (each for each in found if each["kind"] == "Deployment"):
        spec, inner = deployment["spec"]["template"]["spec"], container(deployment)
        assert spec["securityContext"]["runAsNonRoot"]
        assert "RuntimeDefault" == spec["securityContext"]["seccompProfile"]["type"]
        assert spec["automountServiceAccountToken"] is False
        assert {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        } == inner["securityContext"]
        assert {"cpu", "memory"} == inner["resources"]["requests"].keys()
        assert "memory" in inner["resources"]["limits"]
    user = one("Deployment", found)["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    assert f"USER {user}\n" in (ROOT.parents[1] / "Dockerfile").read_text("utf-8")


def test_what_belongs_together_does() -> None:
    """Selectors choose the pods, ports are those of the container, and names lead to something."""
    found = base()
    deployment = one("Deployment", found)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == deployment["spec"]["selector"]["matchLabels"]
    ports = {each["name"]: each["containerPort"] for each in container(deployment)["ports"]}
    for name, port in ((NAME, "players"), (f"{NAME}-operators", "operators")):
        service = one("Service", found, name)["spec"]
        assert labels == service["selector"]
        assert [port] == [each["targetPort"] for each in service["ports"]]
    for kind in ("PodDisruptionBudget",):
        assert labels == one(kind, found)["spec"]["selector"]["matchLabels"]
    policy = one("NetworkPolicy", found)["spec"]
    assert labels == policy["podSelector"]["matchLabels"]
    assert {"players", "operators"} == {
        port["port"] for rule in policy["ingress"] for port in rule["ports"]
    }
    target = one("HorizontalPodAutoscaler", found)["spec"]["scaleTargetRef"]
    assert ("Deployment", NAME) == (target["kind"], target["name"])
    assert deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(
        ports["operators"]
    )
    role, binding = one("Role", found, f"{NAME}-team"), one("RoleBinding", found, f"{NAME}-team")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    for rule in role["rules"]:
        assert "secrets" not in rule["resources"]
        assert "*" not in rule["verbs"]


def test_it_is_given_the_time_that_it_needs() -> None:
    """A pod lives longer than preStop and the time that running requests have."""
    deployment = one("Deployment", base())
    spec, inner = deployment["spec"]["template"]["spec"], container(deployment)
    settings = settings_of(deployment).server
    pause_s = inner["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause_s >= inner["readinessProbe"]["periodSeconds"]
    assert spec["terminationGracePeriodSeconds"] >= pause_s + settings.shutdown_grace_s + 10
    listed = {each["name"]: each["containerPort"] for each in inner["ports"]}
    assert {"players": settings.port, "operators": settings_of(deployment).admin.port} == listed


def settings_of(deployment: Manifest) -> Any:
    """The settings by the environment of the manifest, without its volumes."""
    given = {each["name"]: each["value"] for each in container(deployment)["env"]}
    for name in ("GATEWAY_CONFIG", "GATEWAY_STORE__URL_FILE"):
        assert given.pop(name)
    return load(None, given).settings


def test_the_config_is_one(tmp_path: Path) -> None:
    """The gateway takes it as it stands, and with the example of a source. The file and the secret
    are where the environment says."""
    text = one("ConfigMap", base())["data"]["gateway.toml"]
    path = tmp_path / "gateway.toml"
    path.write_text(text, "utf-8")
    loaded = load(path, {})
    assert () == tuple(loaded.warnings)
    assert {f"{NAME}-operators", f"{NAME}-operators.streaming.svc"} == set(
        loaded.settings.admin.allowed_hosts
    )
    example = re.sub(r"^# ?(?=\[|[a-z_]+ = |$)", "", text, flags=re.MULTILINE)
    assert "edges" in tomllib.loads(example)
    path.write_text(example, "utf-8")
    assert "origin" == load(path, {}).settings.source.kind
    inner = container(one("Deployment", base()))
    given = {each["name"]: each["value"] for each in inner["env"]}
    mounts = {each["name"]: each["mountPath"] for each in inner["volumeMounts"]}
    assert all("subPath" not in each for each in inner["volumeMounts"])
    assert f"{mounts['config']}/gateway.toml" == given["GATEWAY_CONFIG"]
    secret = one("Secret", manifests(ROOT / "overlays" / "small" / "secret.yaml"))["stringData"]
    assert f"{mounts['secrets']}/store-url" == given["GATEWAY_STORE__URL_FILE"]
    assert f":{secret['redis-password']}@{NAME}-redis:6379/" in secret["store-url"]


def test_its_redis_is_that_of_compose() -> None:
    """The same image and command, which the test of Compose runs."""
    redis = container(
        one("Deployment", manifests(ROOT / "overlays/small/redis.yaml"), f"{NAME}-redis")
    )
    compose = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["redis"]
    assert compose["image"] == redis["image"]
    assert compose["command"] == [
        *redis["command"],
        redis["args"][0].replace('"$REDISCLI_AUTH"', '"$$REDISCLI_AUTH"'),
    ]
    assert compose["healthcheck"]["test"][1] == redis["readinessProbe"]["exec"]["command"][2]
