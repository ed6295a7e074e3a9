"""A rolling update, an eviction and a changed ConfigMap while players ask: no manifest fails. The
pods are processes that start, are probed and end as ``deploy/kubernetes`` says."""

import json
import random
import time
from pathlib import Path

from gateway.config.load import load
from tests.drills.viewers import Plan, watching
from tests.integration.kubernetes import ROOT, Pod, Service, ended, manifests, one
from tests.unit.store.servers import valkey

REPLICAS = 2
RATE = 50.0


class Cluster:
    """Makes pods of the Deployment, each with the next address of a loopback network."""

    def __init__(self, folder: Path, store_url: str) -> None:
        base = [each for path in (ROOT / "base").glob("*.yaml") for each in manifests(path)]
        self.deployment = one("Deployment", base)
        self.budget = one("PodDisruptionBudget", base)
        self.config = dict(one("ConfigMap", base)["data"])
        self.pods: list[Pod] = []
        self._folder = folder
        self._store_url = store_url
        self._network = f"127.{random.randrange(100, 250)}.{random.randrange(250)}"

    def start(self) -> Pod:
        """One more pod."""
        number = len(self.pods) + 1
        folder = self._folder / f"pod-{number}"
        folder.mkdir()
        volumes = {"config": self.config, "secrets": {"store-url": f"{self._store_url}\n"}}
        pod = Pod(self.deployment, f"{self._network}.{number}", folder, volumes)
        self.pods.append(pod)
        pod.start()
        return pod


def test_no_manifest_fails(tmp_path: Path) -> None:
    """Both pods are replaced, one after the other, and then one is evicted, while players ask 50
    times a second. Each gets its manifest, no connection leads to a pod that does not listen any
    more, and no pod is killed."""
    password = one("Secret", manifests(ROOT / "overlays" / "small" / "secret.yaml"))["stringData"][
        "redis-password"
    ]
    with valkey(tmp_path, "--requirepass", password) as store:
        cluster = Cluster(tmp_path, f"redis://:{password}@127.0.0.1:{store.port}/0")
        update = cluster.deployment["spec"]["strategy"]["rollingUpdate"]
        assert {"maxSurge": 1, "maxUnavailable": 0} == update
        with Service("players") as service, ended(cluster.pods):
            old = [cluster.start() for _ in range(REPLICAS)]
            for pod in old:
                pod.wait_until_ready()
                service.add(pod)
            edges = {each.id: each.url for each in load(None, {}).settings.edges}
            plan = Plan(service.url, edges, ("film/one", "film/two"), ("192.0.2.1",), rate=RATE)
            with watching(plan) as viewers:
                for pod in old:
                    _start_another(cluster, service)
                    service.delete(pod)
                assert 1 == cluster.budget["spec"]["maxUnavailable"]
                service.delete(cluster.pods[REPLICAS])
                _start_another(cluster, service)
                _change_the_config(cluster, cluster.pods[-2:])
                for pod in cluster.pods[:-2]:
                    assert pod.stopping is not None
                    pod.stopping.join()
            assert [0, 0, 0] == [pod.exit_code for pod in cluster.pods[:-2]]
            for pod in cluster.pods[-2:]:
                _, _, body = pod.ask("operators", "/readyz")
                assert "ok" == json.loads(body)["checks"]["redis"]["status"], body
    assert [] == [sample for sample in viewers.samples if sample.fault]
    assert len(viewers.samples) > RATE * 5
    assert 0 == service.refused


def _start_another(cluster: Cluster, service: Service) -> None:
    """Start a pod, and lead players to it once it is ready."""
    pod = cluster.start()
    pod.wait_until_ready()
    service.add(pod)


def _change_the_config(cluster: Cluster, pods: list[Pod]) -> None:
    """What is written into the volume of the ConfigMap is soon in force, without a restart."""
    changed = cluster.config["gateway.toml"].replace(
        "[server]\n", "[server]\nmanifest_max_age_s = 3\n"
    )
    for pod in pods:
        pod.update("config", {"gateway.toml": changed})
    until = time.monotonic() + 30
    for pod in pods:
        while "max-age=3" not in _caching(pod):
            assert time.monotonic() < until, (pod.folder / "log").read_text()
            time.sleep(0.05)


def _caching(pod: Pod) -> str:
    _, headers, _ = pod.ask("players", "/v1/play/film/one.m3u8")
    return headers["cache-control"]
