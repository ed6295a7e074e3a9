"""What somebody on call types, against what ``deploy`` installs: units, pods, jobs and logs."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.kubernetes import ROOT as KUBERNETES
from tests.integration.kubernetes import Manifest, container, manifests, one
from tests.integration.test_systemd import CONFIG, INSTALLED, UNIT, service
from tests.missing import missing
from tests.monitoring.parts import PROMETHEUS, ROOT, RULES, program
from tests.pages.blocks import page, pages

DOCS = {name: (ROOT / name).read_text("utf-8") for name in pages()}
RUNBOOK = DOCS["docs/runbook.md"]
LOGS = DOCS["docs/logs.md"]
DEPLOYMENT = one("Deployment", manifests(KUBERNETES / "base" / "deployment.yaml"))
NAMESPACE = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["namespace"]

WRITTEN = """
import structlog
from gateway.observe import logs
logs.configure()
log = structlog.get_logger()
log.info("started")
log.warning("source_faulty", asset="film/one", reason="x")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("request_failed")
logs.write_access({"route": "play_hls", "status": 200, "ms": 51, "asset": "film/one"})
logs.flush()
"""
SYSTEMD = "Started streaming-gateway.service - Streaming gateway."


def block(start: str) -> str:
    """The commands of the runbook's block that begins so."""
    (found,) = (each.text for each in page("docs/runbook.md").blocks if each.text.startswith(start))
    return found


def test_the_pages_name_the_unit() -> None:
    """In ``journalctl``, and for Vector."""
    named = [
        (name, unit)
        for name, text in DOCS.items()
        for unit in re.findall(r'journalctl -u (\S+)|include_units = \["([^"]+)"\]', text)
    ]
    assert {"docs/logs.md", "docs/runbook.md"} <= {name for name, _ in named}
    for name, unit in named:
        assert "".join(unit).strip("`") == UNIT.stem, name


def test_the_pages_name_the_files_of_the_log() -> None:
    """The kubelet calls them POD_NAMESPACE_CONTAINER-ID.log."""
    pattern = re.search(r"Path +(/var/log/containers/\S+)", LOGS)
    assert pattern
    pod = f"{DEPLOYMENT['metadata']['name']}-6b8f4d9c5b-x7k2p"
    file = f"{pod}_{NAMESPACE}_{container(DEPLOYMENT)['name']}-{'0a' * 32}.log"
    assert fnmatch.fnmatchcase(f"/var/log/containers/{file}", pattern[1])


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log as ``journalctl -o cat`` prints it: lines of systemd and of the gateway."""
    written = subprocess.run(
        [sys.executable, "-c", WRITTEN], capture_output=True, text=True, check=True, cwd=ROOT
    ).stderr
    path = tmp_path_factory.mktemp("log") / "gateway.log"
    path.write_text(f"{SYSTEMD}\n{written}", "utf-8")
    return path


def test_filters_of_the_log(journal: Path) -> None:
    """Each ``jq`` of the pages takes every line. Those that look for trouble show what is not
    ``info``, and what systemd says."""
    if shutil.which("jq") is None:
        missing("jq is not here (apt-get install jq)")
    filters = re.findall(r"jq (-\w+) '([^']+)'", RUNBOOK + LOGS)
    said = {}
    for options, program_ in filters:
        ran = subprocess.run(
            ["jq", options, program_, str(journal)], capture_output=True, text=True, check=False
        )
        assert (0, "") == (ran.returncode, ran.stderr), program_
        said[program_] = ran.stdout.splitlines()
    trouble = [
        json.loads(line) for line in said['(fromjson? // {text: .}) | select(.level != "info")']
    ]
    events = [line.get("event") or line["text"] for line in trouble]
    assert [SYSTEMD, "source_faulty", "request_failed"] == events
    (slow,) = next(lines for each, lines in said.items() if "> 50" in each)
    assert "play_hls" == json.loads(slow)["route"]


def test_commands_on_a_host_with_systemd(tmp_path: Path) -> None:
    """Program, config and environment are those of the unit, and what runs in the transient unit
    reads the config."""
    function = block("gateway() {\n    sudo systemd-run").partition("}\n")[0]
    words = shlex.split(function.replace("\\\n", ""))
    options = words[words.index("systemd-run") + 1 : words.index("env")]
    assert ["-p", f"EnvironmentFile={service('EnvironmentFile')}"] == options[-2:]
    if shutil.which("systemd-run") is None:
        missing("systemd-run is not here (apt-get install systemd)")
    helped = subprocess.run(["systemd-run", "--help"], capture_output=True, text=True, check=True)
    known = set(re.findall(r"--[a-z-]+", helped.stdout))
    assert set(options[:-2]) <= known
    command = words[words.index("env") :]
    program_, *_, config = service("ExecStart").split()
    assert ["env", f"GATEWAY_CONFIG={config}", program_, "$@"] == command
    written = tmp_path / "gateway.toml"
    written.write_text("[profiles.only]\nmax_height = 144\n[log]\nlevel = 5\n", "utf-8")
    here = [
        word.replace(CONFIG, str(written)).replace(INSTALLED, f"{Path(sys.executable).parent}/")
        for word in command[:-1]
    ]
    ran = subprocess.run([*here, "status"], capture_output=True, text=True, check=False)
    assert (1, True) == (ran.returncode, "log.level" in ran.stderr), "it reads another config"


def test_commands_in_a_cluster_and_in_compose() -> None:
    """Their names are those of the manifests and of ``docker-compose.yml``."""
    pod = block("gateway() { kubectl")
    name, labels = (
        DEPLOYMENT["metadata"]["name"],
        DEPLOYMENT["spec"]["template"]["metadata"]["labels"],
    )
    assert {NAMESPACE} == set(re.findall(r"kubectl -n (\S+)", pod))
    assert {name} == set(re.findall(r"deployment/(\S+)", pod))
    assert (
        dict(found.split("=") for found in re.findall(r"-l (\S+)", pod)).items() <= labels.items()
    )
    (port,) = re.findall(r" (\d+):\1 ", pod)
    assert int(port) in {each["containerPort"] for each in container(DEPLOYMENT)["ports"]}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    composed = block("gateway() { docker")
    (service_,) = re.findall(r"exec -T (\S+) gateway ", composed)
    assert service_ in compose["services"]
    assert f"--since 15m {service_};" in composed
    assert f"127.0.0.1:{port}:{port}" in compose["services"][service_]["ports"]


def test_every_job_has_the_name_that_the_alerts_expect(tmp_path: Path) -> None:
    """Of the example of a scrape config, and of the PodMonitor after relabeling by Prometheus."""
    (expected,) = set(re.findall(r'job="(\w+)"', RULES.read_text("utf-8")))
    (static,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    assert expected == static["job_name"]
    (monitor,) = manifests(KUBERNETES / "overlays" / "production" / "podmonitor.yaml")
    assert expected == job_of(monitor, tmp_path / "with.yml")
    del monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    assert f"{NAMESPACE}/{monitor['metadata']['name']}" == job_of(monitor, tmp_path / "without.yml")


def job_of(monitor: Manifest, written: Path) -> str:
    """The label ``job`` of a pod's series. The Prometheus Operator sets it to the monitor's
    namespace and name, and then applies the monitor's own relabelings."""
    meta, spec = monitor["metadata"], monitor["spec"]
    assert "jobLabel" not in spec
    (endpoint,) = spec["podMetricsEndpoints"]
    snake = [
        {
            re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key): value
            for key, value in rule.items()
        }
        for rule in endpoint.get("relabelings", [])
    ]
    job = {
        "job_name": "podMonitor",
        "static_configs": [{"targets": ["10.0.0.1:8090"]}],
        "relabel_configs": [
            {"target_label": "job", "replacement": f"{meta['namespace']}/{meta['name']}"},
            *snake,
        ],
    }
    written.write_text(yaml.safe_dump({"scrape_configs": [job]}), "utf-8")
    ran = subprocess.run(
        [program("promtool"), "check", "service-discovery", "--timeout=1s", written, "podMonitor"],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert 0 == ran.returncode, ran.stderr
    (target,) = json.loads(ran.stdout)
    return str(target["labels"]["job"])
