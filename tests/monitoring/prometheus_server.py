"""A real Prometheus that scrapes a gateway each second, and evaluates its alerts as often."""

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.monitoring.parts import PROMETHEUS, RULES, program
from tests.ports import free_port

START_S = 60.0
RANGES = {"m": "5s", "h": "10s"}
"""What a drill has in the place of ranges of minutes and hours."""


def quickened(rules: str) -> str:
    """Alert rules that fire at once, over ranges of seconds."""
    rules = re.sub(r"\[\d+([mh])\]", lambda found: f"[{RANGES[found[1]]}]", rules)
    return re.sub(r"for: \w+", "for: 0s", rules)


def config(target: str, key: Path, authority: Path, rules: Path) -> str:
    """The example for operators, with its comments on keys and TLS followed."""
    text = (PROMETHEUS / "prometheus.yml").read_text("utf-8")
    text = re.sub(
        r"^    # (authorization:|scheme:|tls_config:)", r"    \1", text, flags=re.MULTILINE
    )
    text = re.sub(r"^    #   (\w+_file:)", r"      \1", text, flags=re.MULTILINE)
    read = yaml.safe_load(text)
    (job,) = read["scrape_configs"]
    assert {"authorization", "scheme", "tls_config"} <= set(job)
    job["static_configs"] = [{"targets": [target]}]
    job["authorization"]["credentials_file"] = str(key)
    job["tls_config"]["ca_file"] = str(authority)
    read["rule_files"] = [str(rules)]
    read["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    del read["alerting"]
    return str(yaml.safe_dump(read))


@dataclass
class PrometheusServer:
    """One that runs. ``api`` asks it."""

    api: httpx.Client

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that a query gives now. Fails the test if it is not understood."""
        asked = self.api.get("/api/v1/query", params={"query": expression})
        assert 200 == asked.status_code, f"{expression}: {asked.text}"
        found: list[dict[str, Any]] = asked.json()["data"]["result"]
        return found

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire now, by name."""
        answer = self.api.get("/api/v1/alerts").json()
        return {
            alert["labels"]["alertname"]: alert
            for alert in answer["data"]["alerts"]
            if alert["state"] == "firing"
        }

    def until(self, holds: Callable[[], object], what: object, limit_s: float = START_S) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
            time.sleep(0.3)


@contextlib.contextmanager
def prometheus_server(folder: Path, target: str, key: Path, ca: Path) -> Iterator[PrometheusServer]:
    """Prometheus that scrapes ``target`` (host and port) with a key, over TLS."""
    rules, settings = folder / "alerts.yml", folder / "prometheus.yml"
    rules.write_text(quickened(RULES.read_text("utf-8")), "utf-8")
    settings.write_text(config(target, key, ca, rules), "utf-8")
    port = free_port()
    command = [
        *(program("prometheus"), f"--config.file={settings}", "--log.level=warn"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    api = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
    server = PrometheusServer(api)

    def ready() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        with contextlib.suppress(httpx.TransportError):
            return api.get("/-/ready").status_code == 200
        return False

    try:
        server.until(ready, "Prometheus is ready")
        yield server
    finally:
        api.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
